//! Which addresses a Service has, grouped by the ports they share.

use crate::support::endpoints::{HEADLESS_LABEL, Port, hostname, is_endpoint, ports, target};
use crate::support::ops::Op;
use crate::support::owner::{name_of, uid_of};
use crate::views::{Pod, ServiceSpec};
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints};
use windlass_core::apis::meta::v1::ObjectMeta;
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::object::Header;
use windlass_core::scheme;

const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";
const OVER_CAPACITY: &str = "endpoints.kubernetes.io/over-capacity";
/// No object has more addresses.
const MAX: usize = 1000;

/// Addresses by pod name, and whether each is ready.
type Addresses = BTreeMap<String, (bool, EndpointAddress)>;

/// What makes the Endpoints show the addresses of the pods the Service selects.
pub(super) fn plan(
    service: &Header,
    spec: &ServiceSpec,
    pods: &[Pod],
    existing: Option<Endpoints>,
) -> Option<Op> {
    let (kept, cut) = pods.split_at(pods.len().min(MAX));
    let subsets = subsets(service, spec, kept);
    let old = existing.clone().unwrap_or_default();
    let mut new =
        Endpoints { subsets: Some(subsets).filter(|subsets| !subsets.is_empty()), ..old.clone() };
    new.metadata.labels = Some(labels(service, spec));
    mark_capacity(&mut new.metadata, !cut.is_empty());
    let key = Key::new(scheme::ENDPOINTS, &*service.namespace, &*service.name);
    if existing.is_none() {
        new.metadata.name = Some(service.name.to_string());
        new.metadata.namespace = Some(service.namespace.to_string());
        return Some(Op::create(key, &new));
    }
    (new != old).then(|| Op::update(key, &new))
}

/// What to do with Endpoints whose Service is gone: those made here go, others stay.
pub(super) fn without_service(endpoints: &ObjectMeta) -> Option<Op> {
    let manager = endpoints.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY));
    let key = Key::new(
        scheme::ENDPOINTS,
        endpoints.namespace.clone().unwrap_or_default(),
        name_of(endpoints),
    );
    (manager.map(String::as_str) == Some(MANAGER))
        .then(|| Op::Delete(key, DeleteOptions::uid(uid_of(endpoints))))
}

fn labels(service: &Header, spec: &ServiceSpec) -> BTreeMap<String, String> {
    let of_service = service.labels.iter().filter(|(key, _)| **key != *HEADLESS_LABEL);
    let mut labels: BTreeMap<_, _> =
        of_service.map(|(key, value)| (key.to_string(), value.to_string())).collect();
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    if spec.is_headless() {
        labels.insert(HEADLESS_LABEL.into(), String::new());
    }
    labels
}

fn mark_capacity(meta: &mut ObjectMeta, over: bool) {
    if over {
        meta.annotations.get_or_insert_default().insert(OVER_CAPACITY.into(), "truncated".into());
    } else if let Some(annotations) = &mut meta.annotations {
        annotations.remove(OVER_CAPACITY);
    }
}

fn subsets(service: &Header, spec: &ServiceSpec, pods: &[Pod]) -> Vec<EndpointSubset> {
    // First the addresses of each port, then the ports of each set of addresses.
    let mut by_port: BTreeMap<Option<Port>, Addresses> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_endpoint(pod, spec.publish_not_ready_addresses)) {
        let ready = spec.publish_not_ready_addresses || pod.view.is_ready();
        let portless = spec.ports.is_empty() && spec.is_headless();
        let ports = ports(spec, pod).into_iter().map(Some).chain(portless.then_some(None));
        for port in ports {
            let entry = (ready, address(service, pod));
            by_port.entry(port).or_default().insert(pod.object.name().to_owned(), entry);
        }
    }
    let mut by_addresses: Vec<(Addresses, Vec<Port>)> = vec![];
    for (port, addresses) in by_port {
        match by_addresses.iter_mut().find(|(same, _)| *same == addresses) {
            Some((_, ports)) => ports.extend(port),
            None => by_addresses.push((addresses, port.into_iter().collect())),
        }
    }
    by_addresses.into_iter().map(|(addresses, ports)| subset(addresses, ports)).collect()
}

fn subset(addresses: Addresses, ports: Vec<Port>) -> EndpointSubset {
    let (ready, not_ready): (Vec<_>, Vec<_>) =
        addresses.into_values().partition(|(ready, _)| *ready);
    let list = |some: Vec<(bool, EndpointAddress)>| {
        let mut list: Vec<_> = some.into_iter().map(|(_, address)| address).collect();
        list.sort_by(|a, b| a.ip.cmp(&b.ip));
        Some(list).filter(|list| !list.is_empty())
    };
    let ports: Vec<_> = ports.into_iter().map(port).collect();
    EndpointSubset {
        addresses: list(ready),
        not_ready_addresses: list(not_ready),
        ports: Some(ports).filter(|ports| !ports.is_empty()),
    }
}

fn address(service: &Header, pod: &Pod) -> EndpointAddress {
    EndpointAddress {
        ip: pod.view.status.pod_ip.to_string(),
        hostname: hostname(&service.name, pod),
        node_name: Some(pod.view.spec.node_name.to_string()).filter(|name| !name.is_empty()),
        target_ref: Some(target(pod)),
    }
}

fn port(port: Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name).filter(|name| !name.is_empty()),
        port: port.port,
        protocol: Some(port.protocol),
        app_protocol: port.app_protocol,
    }
}
