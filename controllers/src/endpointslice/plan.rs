//! Which endpoints a Service has.

use super::hints;
use crate::support::endpoints::{HEADLESS_LABEL, Port, hostname, is_endpoint, ports, target};
use crate::support::ops::Op;
use crate::support::owner::controller_ref;
use crate::support::slices::{self, Group, MANAGED_BY, SERVICE_NAME, group_by_ports};
use crate::views::{Pod, ServiceSpec};
use std::collections::BTreeMap;
use std::net::IpAddr;
use windlass_core::apis::discovery::v1::{
    Endpoint, EndpointConditions, EndpointPort, EndpointSlice,
};
use windlass_core::apis::meta::v1::ObjectMeta;
use windlass_core::object::Header;
use windlass_core::scheme::GroupVersionKind;

/// No slice has more endpoints.
const MAX: usize = 100;
const SERVICE: GroupVersionKind = GroupVersionKind::new("", "v1", "Service");

/// What a plan is made from.
pub(crate) struct Snapshot<'a> {
    pub(crate) header: &'a Header,
    pub(crate) service: &'a ServiceSpec,
    /// All pods the Service selects.
    pub(crate) pods: Vec<Pod>,
    /// The zone (may be empty) of each node there is.
    pub(crate) zones: BTreeMap<String, String>,
    /// The share of each zone in what the cluster can do, when endpoints are to be shared out by that.
    pub(crate) weights: Vec<(String, f64)>,
    /// All slices this controller made for the Service.
    pub(crate) slices: Vec<EndpointSlice>,
}

/// What makes the slices show the endpoints.
pub(crate) fn plan(snapshot: Snapshot<'_>) -> Vec<Op> {
    let mut groups: Vec<Group> = families(snapshot.service)
        .into_iter()
        .flat_map(|family| {
            let found = snapshot.pods.iter().filter_map(|pod| endpoint(&snapshot, pod, family));
            let mut endpoints: Vec<_> = found.collect();
            let mut all: Vec<_> = endpoints.iter_mut().map(|(_, endpoint)| endpoint).collect();
            hints::give(&mut all, &snapshot.service.traffic_distribution, &snapshot.weights);
            group_by_ports(family, endpoints)
        })
        .collect();
    if groups.is_empty() {
        // A Service without endpoints keeps one empty slice: it shows that there are none.
        let address_type = families(snapshot.service).first().copied().unwrap_or("IPv4").to_owned();
        groups.push(Group { address_type, ports: vec![], endpoints: vec![] });
    }
    slices::reconcile(&metadata(&snapshot), groups, snapshot.slices, MAX)
}

fn families(service: &ServiceSpec) -> Vec<&str> {
    match service.ip_families.as_slice() {
        [] => vec!["IPv4"],
        some => some.iter().map(String::as_str).collect(),
    }
}

fn endpoint(
    snapshot: &Snapshot<'_>,
    pod: &Pod,
    family: &str,
) -> Option<(Vec<EndpointPort>, Endpoint)> {
    let (spec, service) = (&pod.view.spec, snapshot.service);
    let zone = snapshot.zones.get(spec.node_name.as_str());
    // A pod on a node that is not there is about to be collected.
    if !is_endpoint(pod, true) || (zone.is_none() && !service.publish_not_ready_addresses) {
        return None;
    }
    let addresses = addresses(pod, family);
    let serving = pod.view.is_ready();
    let terminating = pod.view.metadata.deletion_timestamp.is_some();
    let conditions = EndpointConditions {
        ready: Some(service.publish_not_ready_addresses || (serving && !terminating)),
        serving: Some(serving),
        terminating: Some(terminating),
    };
    let endpoint = Endpoint {
        conditions: Some(conditions),
        hostname: hostname(&snapshot.header.name, pod),
        node_name: Some(spec.node_name.to_string()).filter(|name| !name.is_empty()),
        zone: zone.cloned().filter(|zone| !zone.is_empty()),
        target_ref: Some(target(pod)),
        addresses,
        ..Endpoint::default()
    };
    let ports = ports(service, pod).into_iter().map(port).collect();
    Some((ports, endpoint)).filter(|(_, endpoint)| !endpoint.addresses.is_empty())
}

fn addresses(pod: &Pod, family: &str) -> Vec<String> {
    let status = &pod.view.status;
    let given = status.pod_ips.iter().map(|ip| &*ip.ip);
    let mut all: Vec<_> = given.filter(|ip| is_of(ip, family)).map(str::to_owned).collect();
    if all.is_empty() && is_of(&status.pod_ip, family) {
        all.push(status.pod_ip.to_string());
    }
    all
}

fn is_of(address: &str, family: &str) -> bool {
    address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6() == (family == "IPv6"))
}

fn port(port: Port) -> EndpointPort {
    EndpointPort {
        name: Some(port.name),
        port: Some(port.port),
        protocol: Some(port.protocol),
        app_protocol: port.app_protocol,
    }
}

fn metadata(snapshot: &Snapshot<'_>) -> ObjectMeta {
    let header = snapshot.header;
    let of_service = header.labels.iter().filter(|(key, _)| **key != *HEADLESS_LABEL);
    let mut labels: BTreeMap<_, _> =
        of_service.map(|(key, value)| (key.to_string(), value.to_string())).collect();
    labels.insert(SERVICE_NAME.into(), header.name.to_string());
    labels.insert(MANAGED_BY.into(), super::MANAGER.into());
    if snapshot.service.is_headless() {
        labels.insert(HEADLESS_LABEL.into(), String::new());
    }
    ObjectMeta {
        generate_name: Some(format!("{}-", header.name)),
        namespace: Some(header.namespace.to_string()),
        labels: Some(labels),
        owner_references: Some(vec![controller_ref(&SERVICE, &header.name, &header.uid)]),
        ..ObjectMeta::default()
    }
}
