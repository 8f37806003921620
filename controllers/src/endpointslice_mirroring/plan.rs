//! From subsets to slices.

use crate::support::ops::Op;
use crate::support::owner::{controller_ref, name_of, namespace_of, uid_of};
use crate::support::slices::{self, Group, MANAGED_BY, SERVICE_NAME};
use std::net::IpAddr;
use windlass_core::apis::core::v1::{EndpointAddress, EndpointPort as OldPort, Endpoints};
use windlass_core::apis::discovery::v1::{
    Endpoint, EndpointConditions, EndpointPort, EndpointSlice,
};
use windlass_core::apis::meta::v1::ObjectMeta;
use windlass_core::scheme::GroupVersionKind;

/// No slice has more endpoints.
const MAX: usize = 1000;
const ENDPOINTS: GroupVersionKind = GroupVersionKind::new("", "v1", "Endpoints");
const SKIP_LABEL: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER_ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";

/// Whether somebody wants these mirrored.
pub(super) fn is_mirrored(meta: &ObjectMeta) -> bool {
    let skipped = meta.labels.as_ref().and_then(|labels| labels.get(SKIP_LABEL));
    let is_lock =
        meta.annotations.as_ref().is_some_and(|notes| notes.contains_key(LEADER_ANNOTATION));
    skipped.map(String::as_str) != Some("true") && !is_lock && meta.deletion_timestamp.is_none()
}

/// What makes the slices show the Endpoints; `None` when there is nothing to show.
pub(super) fn plan(endpoints: Option<&Endpoints>, slices: Vec<EndpointSlice>) -> Vec<Op> {
    let empty = Endpoints::default();
    let shown = endpoints.unwrap_or(&empty);
    let mut groups: Vec<Group> = vec![];
    for subset in shown.subsets.iter().flatten() {
        let ports: Vec<_> = subset.ports.iter().flatten().map(port).collect();
        let ready = subset.addresses.iter().flatten().map(|address| (address, true));
        let not_ready = subset.not_ready_addresses.iter().flatten().map(|address| (address, false));
        for (address, ready) in ready.chain(not_ready) {
            if let Some(family) = family(&address.ip) {
                add(&mut groups, family, &ports, endpoint(address, ready));
            }
        }
    }
    slices::reconcile(&metadata(&shown.metadata), groups, slices, MAX)
}

fn add(groups: &mut Vec<Group>, family: &str, ports: &[EndpointPort], endpoint: Endpoint) {
    match groups.iter_mut().find(|group| group.address_type == family && group.ports == ports) {
        Some(group) => group.endpoints.push(endpoint),
        None => {
            let (address_type, ports) = (family.to_owned(), ports.to_vec());
            groups.push(Group { address_type, ports, endpoints: vec![endpoint] });
        }
    }
}

fn family(ip: &str) -> Option<&'static str> {
    ip.parse::<IpAddr>().ok().map(|ip| if ip.is_ipv6() { "IPv6" } else { "IPv4" })
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Endpoint {
    Endpoint {
        addresses: vec![address.ip.clone()],
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            ..EndpointConditions::default()
        }),
        hostname: address.hostname.clone(),
        node_name: address.node_name.clone(),
        target_ref: address.target_ref.clone(),
        ..Endpoint::default()
    }
}

fn port(port: &OldPort) -> EndpointPort {
    EndpointPort {
        name: Some(port.name.clone().unwrap_or_default()),
        port: Some(port.port),
        protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".into())),
        app_protocol: port.app_protocol.clone(),
    }
}

fn metadata(endpoints: &ObjectMeta) -> ObjectMeta {
    let name = name_of(endpoints);
    let mut labels = endpoints.labels.clone().unwrap_or_default();
    labels.insert(SERVICE_NAME.into(), name.into());
    labels.insert(MANAGED_BY.into(), super::MANAGER.into());
    ObjectMeta {
        generate_name: Some(format!("{name}-")),
        namespace: Some(namespace_of(endpoints).into()),
        labels: Some(labels),
        owner_references: Some(vec![controller_ref(&ENDPOINTS, name, uid_of(endpoints))]),
        ..ObjectMeta::default()
    }
}
