//! From a Service and its slices to the ports to program.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{
    EndpointPortView, EndpointSliceView, EndpointView, Family, NamespacedName, PortKey,
    ServicePort, ServicePortName, ServicePortView, ServiceSpecView, ServiceView, network,
};
use crate::topology::{self, Candidate, NodeIdentity};

/// The ports to program for a Service, one per port and IP family.
///
/// Empty for headless Services and for type `ExternalName`.
/// Addresses that do not parse are passed over.
pub fn service_ports<'a>(
    key: &NamespacedName,
    service: &ServiceView,
    slices: impl Iterator<Item = &'a EndpointSliceView> + Clone,
    node: &NodeIdentity,
) -> Vec<ServicePort> {
    if service.spec.type_ == "ExternalName" {
        return Vec::new();
    }
    let mut ports = Vec::with_capacity(service.spec.ports.len());
    for port in &service.spec.ports {
        let name = Arc::new(ServicePortName {
            service: key.clone(),
            port: port.name.as_str().into(),
            protocol: port.protocol,
        });
        for cluster_ip in cluster_ips(&service.spec) {
            let key = PortKey { name: name.clone(), family: Family::of(cluster_ip) };
            ports.push(service_port(service, port, key, cluster_ip, slices.clone(), node));
        }
    }
    ports
}

fn service_port<'a>(
    service: &ServiceView,
    port: &ServicePortView,
    key: PortKey,
    cluster_ip: IpAddr,
    slices: impl Iterator<Item = &'a EndpointSliceView>,
    node: &NodeIdentity,
) -> ServicePort {
    let spec = &service.spec;
    let candidates = candidates(port, key.family, slices);
    let chosen = topology::choose(&candidates, node);
    let ranges = spec.load_balancer_source_ranges.iter().filter_map(|range| range.parse().ok());
    ServicePort {
        cluster_ip,
        port: port.port,
        node_port: (spec.has_node_ports() && port.node_port != 0).then_some(port.node_port),
        external_ips: external_ips(spec, key.family),
        load_balancer_ips: load_balancer_ips(service, key.family),
        source_ranges: network::cover(ranges, key.family),
        health_check_node_port: spec.health_check(),
        affinity: spec.affinity_seconds(),
        internal_policy: spec.internal_traffic_policy,
        external_policy: spec.external_traffic_policy,
        cluster_endpoints: chosen.cluster,
        local_endpoints: chosen.local,
        local_terminating: chosen.local_terminating,
        key,
    }
}

/// The cluster addresses, at most one per family; none for a headless Service.
fn cluster_ips(spec: &ServiceSpecView) -> Vec<IpAddr> {
    let listed = if spec.cluster_ips.is_empty() {
        std::slice::from_ref(&spec.cluster_ip)
    } else {
        &spec.cluster_ips
    };
    let mut ips: Vec<IpAddr> = Vec::with_capacity(2);
    for ip in listed.iter().filter_map(|ip| ip.parse().ok()) {
        if !ips.iter().any(|other| Family::of(*other) == Family::of(ip)) {
            ips.push(ip);
        }
    }
    ips
}

fn external_ips(spec: &ServiceSpecView, family: Family) -> Vec<IpAddr> {
    addresses(spec.external_ips.iter(), family)
}

fn load_balancer_ips(service: &ServiceView, family: Family) -> Vec<IpAddr> {
    if service.spec.type_ != "LoadBalancer" {
        return Vec::new();
    }
    let ingress = service.status.load_balancer.ingress.iter();
    addresses(
        ingress
            .filter(|ingress| ingress.ip_mode.as_deref() != Some("Proxy"))
            .map(|ingress| &ingress.ip),
        family,
    )
}

fn addresses<'a>(listed: impl Iterator<Item = &'a String>, family: Family) -> Vec<IpAddr> {
    let parsed = listed.filter_map(|ip| ip.parse().ok());
    let mut ips: Vec<IpAddr> = parsed.filter(|ip| Family::of(*ip) == family).collect();
    ips.sort_unstable();
    ips.dedup();
    ips
}

/// The slices' endpoints that have this port and family.
fn candidates<'a>(
    port: &ServicePortView,
    family: Family,
    slices: impl Iterator<Item = &'a EndpointSliceView>,
) -> Vec<Candidate<'a>> {
    let address_type = match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    };
    let mut found = Vec::new();
    for slice in slices.filter(|slice| slice.address_type == address_type) {
        let numbers = slice
            .ports
            .iter()
            .filter(|candidate| same_port(candidate, port))
            .filter_map(|port| port.port);
        for number in numbers {
            found.extend(
                slice.endpoints.iter().filter_map(|endpoint| candidate(endpoint, number, family)),
            );
        }
    }
    found
}

fn same_port(candidate: &EndpointPortView, port: &ServicePortView) -> bool {
    candidate.name.as_deref().unwrap_or("") == port.name
        && candidate.protocol.unwrap_or_default() == port.protocol
}

fn candidate(endpoint: &EndpointView, port: u16, family: Family) -> Option<Candidate<'_>> {
    let ip: IpAddr = endpoint.addresses.first()?.parse().ok()?;
    (Family::of(ip) == family).then_some(Candidate { address: SocketAddr::new(ip, port), endpoint })
}
