//! Services: their fields here, the addresses and ports they are given in `allocate`.

mod allocate;
mod cluster_ip;
mod node_port;
mod update;
mod validate;

#[cfg(test)]
mod tests;

pub(super) use allocate::ServiceAllocator;

use super::json::{
    each_mut, fill, fill_nil, int_of, is_empty, is_nil, list_of, map_mut, str_at, str_of,
};
use super::{Map, Strategy};
use crate::validation::Errors;
use serde_json::{Value, json};
use std::borrow::Cow;
use windlass_core::Object;

const NONE: &str = "None";

/// The rules of Services.
pub(super) struct Service;

impl Strategy for Service {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        fill(spec, "sessionAffinity", "None");
        fill(spec, "type", "ClusterIP");
        match str_of(spec, "sessionAffinity") {
            "ClientIP" => {
                let config = map_mut(map_mut(spec, "sessionAffinityConfig"), "clientIP");
                fill_nil(config, "timeoutSeconds", 10_800);
            }
            _ => _ = spec.shift_remove("sessionAffinityConfig"),
        }
        for port in each_mut(spec, "ports") {
            fill(port, "protocol", "TCP");
            let target = port.get("targetPort");
            if target.is_none_or(|t| t.is_null() || t == &json!(0) || t == &json!("")) {
                let number = port.get("port").cloned().unwrap_or_default();
                port.insert("targetPort".into(), number);
            }
        }
        traffic(spec);
        sync_cluster_ips(spec);
    }

    fn prepare_for_create(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        sync_cluster_ips(spec);
        families(spec);
        object.insert("status".into(), json!({"loadBalancer": {}}));
    }

    fn prepare_for_update(&self, new: &mut Map, old: &Map) {
        update::prepare(new, old);
        families(map_mut(new, "spec"));
    }

    fn validate(&self, object: &Map) -> Errors {
        validate::validate(object)
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        update::validate(new, old)
    }

    fn fields(&self) -> &'static [&'static str] {
        &["spec.clusterIP", "spec.type"]
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        super::fields::value(object, self.fields(), name)
    }
}

/// Whether it is reachable from outside of the cluster.
fn is_external(spec: &Map) -> bool {
    ["NodePort", "LoadBalancer"].contains(&str_of(spec, "type"))
}

fn is_headless(spec: &Map) -> bool {
    str_of(spec, "clusterIP") == NONE
}

/// Whether it has an address of the cluster, or shall get one.
fn needs_cluster_ip(spec: &Map) -> bool {
    str_of(spec, "type") != "ExternalName" && !is_headless(spec)
}

/// Whether its ports get ports of the nodes.
fn needs_node_ports(spec: &Map) -> bool {
    let wanted = spec.get("allocateLoadBalancerNodePorts") != Some(&Value::Bool(false));
    match str_of(spec, "type") {
        "NodePort" => true,
        "LoadBalancer" => wanted,
        _ => false,
    }
}

/// Whether a balancer asks its nodes if they have endpoints.
fn needs_health_port(spec: &Map) -> bool {
    str_of(spec, "type") == "LoadBalancer" && str_of(spec, "externalTrafficPolicy") == "Local"
}

fn traffic(spec: &mut Map) {
    if is_external(spec) || (str_of(spec, "type") == "ClusterIP" && !is_empty(spec, "externalIPs"))
    {
        fill(spec, "externalTrafficPolicy", "Cluster");
    }
    if str_of(spec, "type") != "ExternalName" {
        fill_nil(spec, "internalTrafficPolicy", "Cluster");
    }
    if str_of(spec, "type") == "LoadBalancer" {
        fill_nil(spec, "allocateLoadBalancerNodePorts", true);
    }
}

/// The single address and the list say the same.
fn sync_cluster_ips(spec: &mut Map) {
    let first = list_of(spec, "clusterIPs").first().cloned();
    match (is_empty(spec, "clusterIP"), first) {
        (true, Some(first)) => _ = spec.insert("clusterIP".into(), first),
        (false, None) => {
            let list = json!([spec["clusterIP"]]);
            spec.insert("clusterIPs".into(), list);
        }
        _ => {}
    }
}

/// The cluster has one family of addresses. A headless Service without a selector may name others.
fn families(spec: &mut Map) {
    if str_of(spec, "type") == "ExternalName" {
        return;
    }
    if is_headless(spec) && is_empty(spec, "selector") {
        fill_nil(spec, "ipFamilyPolicy", "RequireDualStack");
        if is_empty(spec, "ipFamilies") {
            let both = str_of(spec, "ipFamilyPolicy") == "RequireDualStack";
            let list = if both { json!(["IPv4", "IPv6"]) } else { json!(["IPv4"]) };
            spec.insert("ipFamilies".into(), list);
        }
        return;
    }
    fill_nil(spec, "ipFamilyPolicy", "SingleStack");
    fill(spec, "ipFamilies", json!(["IPv4"]));
}

/// The node ports of a Service, each with the place of its port.
fn node_ports(spec: &Map) -> Vec<(usize, u16)> {
    let number = |port: &Map| int_of(port, "nodePort").and_then(|n| u16::try_from(n).ok());
    super::json::maps_of(spec, "ports")
        .filter_map(|(at, port)| Some((at, number(port)?)))
        .filter(|(_, port)| *port != 0)
        .collect()
}

fn full_name(object: &Map) -> String {
    let of = |key| str_at(object, &["metadata", key]);
    format!("{}/{}", of("namespace"), of("name"))
}

/// The address it was given.
fn given_ip(spec: &Map) -> Option<&str> {
    let ip = str_of(spec, "clusterIP");
    (!is_nil(spec, "clusterIP") && !ip.is_empty() && ip != NONE).then_some(ip)
}
