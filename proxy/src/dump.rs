//! What is programmed, in words.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use http::StatusCode;

use crate::component::Shared;
use crate::health::http::Answer;
use crate::model::{Endpoint, ServicePort, TrafficPolicy};
use crate::policy::Isolation;

/// Answers for the path behind `/dump`: everything, or `/NAMESPACE/SERVICE`.
pub(crate) fn answer(path: &str, shared: &Shared) -> Option<Answer> {
    let (ports, isolated) = {
        let trackers = shared.trackers.lock();
        (trackers.services.snapshot(), trackers.policies.isolated())
    };
    let mut ports: Vec<&ServicePort> = ports.iter().map(|port| &**port).collect();
    ports.sort_by(|a, b| a.key.cmp(&b.key));
    let mut text = format!("{}\n", shared.health.words());
    if path.is_empty() {
        ports.iter().for_each(|port| port_words(port, &mut text));
        isolated.iter().for_each(|pod| isolation_words(pod, &mut text));
        return Some(Answer::plain(text));
    }
    let (namespace, name) = path.strip_prefix('/')?.split_once('/')?;
    ports.retain(|port| {
        let service = &port.key.name.service;
        (&*service.namespace, &*service.name) == (namespace, name)
    });
    if ports.is_empty() {
        let line = format!(
            "nothing is programmed for Service {namespace}/{name}: it is not there, headless, of type ExternalName, or another proxy's"
        );
        return Some(Answer::text(StatusCode::NOT_FOUND, &line));
    }
    ports.iter().for_each(|port| port_words(port, &mut text));
    let serves = |pod: &&Isolation| {
        let mut endpoints = ports.iter().flat_map(|port| &port.cluster_endpoints);
        endpoints.any(|endpoint| pod.addresses.contains(&endpoint.address.ip()))
    };
    isolated.iter().filter(serves).for_each(|pod| isolation_words(pod, &mut text));
    Some(Answer::plain(text))
}

/// Appends what packets to a port meet.
pub(crate) fn port_words(port: &ServicePort, text: &mut String) {
    let internal = endpoints(port, port.internal_policy);
    line(text, format_args!("{} {}", port.key.name, port.protocol()));
    line(text, format_args!("  {}:{} leads to {internal}", bracketed(port.cluster_ip), port.port));
    let external = endpoints(port, port.external_policy);
    let source = match port.external_policy {
        TrafficPolicy::Cluster => "the source is masqueraded",
        TrafficPolicy::Local => "the source is kept",
    };
    if let Some(number) = port.node_port {
        line(text, format_args!("  node port {number} leads to {external}; {source}"));
    }
    for ip in &port.external_ips {
        let ip = bracketed(*ip);
        line(text, format_args!("  external {ip}:{} leads to {external}; {source}", port.port));
    }
    let only = if port.source_ranges.is_empty() { "" } else { ", for its source ranges only" };
    for ip in &port.load_balancer_ips {
        let ip = bracketed(*ip);
        line(
            text,
            format_args!("  load balancer {ip}:{} leads to {external}; {source}{only}", port.port),
        );
    }
    if let Some(seconds) = port.affinity {
        line(text, format_args!("  a client stays with its endpoint for {seconds} s"));
    }
    if let Some(number) = port.health_check_node_port {
        line(text, format_args!("  health-check node port {number}"));
    }
    for endpoint in &port.cluster_endpoints {
        let here = if endpoint.local { ", on this node" } else { "" };
        line(text, format_args!("  endpoint {}{here}", endpoint.address));
    }
}

/// Appends who isolates a pod.
pub(crate) fn isolation_words(pod: &Isolation, text: &mut String) {
    let addresses: Vec<String> = pod.addresses.iter().map(ToString::to_string).collect();
    line(text, format_args!("pod {} ({})", pod.pod, addresses.join(", ")));
    for (way, policies) in [("to", &pod.ingress), ("from", &pod.egress)] {
        if !policies.is_empty() {
            let names = policies.join(", ");
            line(text, format_args!("  {way} it passes only what NetworkPolicies allow: {names}"));
        }
    }
}

fn endpoints(port: &ServicePort, policy: TrafficPolicy) -> String {
    let chosen: &[Endpoint] = port.endpoints(policy);
    match (chosen.len(), policy) {
        (0, _) if port.cluster_endpoints.is_empty() => "no endpoint: it is refused".to_owned(),
        (0, _) => "no endpoint on this node: it is dropped".to_owned(),
        (1, TrafficPolicy::Cluster) => "1 endpoint".to_owned(),
        (count, TrafficPolicy::Cluster) => format!("one of {count} endpoints"),
        (count, TrafficPolicy::Local) => format!("one of {count} on this node"),
    }
}

fn bracketed(ip: std::net::IpAddr) -> String {
    match ip {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes all");
}
