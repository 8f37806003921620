//! What may change in a Service, and what a writer may leave out.

use super::{is_external, is_headless, needs_cluster_ip, needs_health_port};
use crate::strategy::Map;
use crate::strategy::json::{
    each_mut, int_of, is_empty, list_of, map_mut, map_of, maps_of, restore, str_of,
};
use crate::validation::{Errors, Path};
use serde_json::json;

const SPEC: Path<'static> = Path::new("spec");

/// Keeps what was given when the writer leaves it out, and drops what the new type has no use for.
pub(super) fn prepare(new: &mut Map, old: &Map) {
    let before = map_of(old, "spec").cloned().unwrap_or_default();
    let spec = map_mut(new, "spec");
    keep_cluster_ips(spec, &before);
    if super::needs_node_ports(spec) && is_external(&before) {
        keep_node_ports(spec, &before);
    }
    if needs_health_port(spec)
        && needs_health_port(&before)
        && int_of(spec, "healthCheckNodePort").unwrap_or(0) == 0
    {
        restore(spec, &before, "healthCheckNodePort");
    }
    drop_unused(spec, &before);
    super::traffic(spec);
    super::sync_cluster_ips(spec);
}

/// What is wrong with a change.
pub(super) fn validate(new: &Map, old: &Map) -> Errors {
    let mut errors = Errors::default();
    let empty = Map::new();
    let (new, old) = (map_of(new, "spec").unwrap_or(&empty), map_of(old, "spec").unwrap_or(&empty));
    let has_name = |spec| str_of(spec, "type") == "ExternalName";
    if !has_name(new) && !has_name(old) {
        let (now, before) = (list_of(new, "clusterIPs"), list_of(old, "clusterIPs"));
        if let Some(first) = before.first()
            && now.first() != Some(first)
        {
            errors.invalid(SPEC.child("clusterIPs").index(0), now, "may not change once set");
        }
        let (now, before) = (list_of(new, "ipFamilies"), list_of(old, "ipFamilies"));
        if let Some(first) = before.first()
            && now.first() != Some(first)
        {
            errors.invalid(SPEC.child("ipFamilies").index(0), now, "may not change once set");
        }
    }
    let class = |spec| str_of(spec, "loadBalancerClass");
    let stays = str_of(new, "type") == "LoadBalancer" && str_of(old, "type") == "LoadBalancer";
    if stays && class(new) != class(old) {
        errors.invalid(SPEC.child("loadBalancerClass"), class(new), "may not change once set");
    }
    if needs_health_port(new) && needs_health_port(old) {
        let of = |spec| int_of(spec, "healthCheckNodePort").unwrap_or(0);
        if of(old) != 0 && of(new) != of(old) {
            errors.invalid(SPEC.child("healthCheckNodePort"), of(new), "field is immutable");
        }
    }
    errors
}

fn keep_cluster_ips(spec: &mut Map, old: &Map) {
    let same = |key| spec.get(key) == old.get(key);
    if str_of(spec, "type") == "ExternalName" {
        // Nothing was asked for: the address goes with the type.
        if same("clusterIP") || is_empty(spec, "clusterIP") {
            spec.shift_remove("clusterIP");
            spec.shift_remove("clusterIPs");
        }
        return;
    }
    if str_of(old, "type") == "ExternalName" {
        return;
    }
    if is_empty(spec, "clusterIP")
        && is_empty(spec, "clusterIPs")
        && (needs_cluster_ip(old) || is_headless(old))
    {
        restore(spec, old, "clusterIP");
        restore(spec, old, "clusterIPs");
    } else if !is_empty(spec, "clusterIP") && !same("clusterIP") && same("clusterIPs") {
        let list = json!([spec["clusterIP"]]);
        spec.insert("clusterIPs".into(), list);
    } else if is_empty(spec, "clusterIP") {
        super::sync_cluster_ips(spec);
    }
    for key in ["ipFamilies", "ipFamilyPolicy"] {
        if is_empty(spec, key) {
            restore(spec, old, key);
        }
    }
}

/// A port that stays keeps its node port.
fn keep_node_ports(spec: &mut Map, old: &Map) {
    let taken: Vec<_> = super::node_ports(spec).into_iter().map(|(_, port)| port).collect();
    for port in each_mut(spec, "ports") {
        if int_of(port, "nodePort").unwrap_or(0) != 0 {
            continue;
        }
        let key = |port: &Map| (int_of(port, "port"), str_of(port, "protocol").to_owned());
        let wanted = key(port);
        let found = maps_of(old, "ports").find(|(_, old)| key(old) == wanted);
        if let Some((_, old)) = found
            && let Some(number) = int_of(old, "nodePort").and_then(|n| u16::try_from(n).ok())
            && number != 0
            && !taken.contains(&number)
        {
            port.insert("nodePort".into(), number.into());
        }
    }
}

/// What is left from the old type, and the writer did not touch.
fn drop_unused(spec: &mut Map, old: &Map) {
    if !is_external(spec) && is_external(old) {
        let before: Vec<_> =
            super::node_ports(old).into_iter().map(|(_, port)| i64::from(port)).collect();
        for port in each_mut(spec, "ports") {
            if int_of(port, "nodePort").is_some_and(|number| before.contains(&number)) {
                port.shift_remove("nodePort");
            }
        }
        if spec.get("externalTrafficPolicy") == old.get("externalTrafficPolicy")
            && is_empty(spec, "externalIPs")
        {
            spec.shift_remove("externalTrafficPolicy");
        }
    }
    if !needs_health_port(spec) && spec.get("healthCheckNodePort") == old.get("healthCheckNodePort")
    {
        spec.shift_remove("healthCheckNodePort");
    }
    if str_of(spec, "type") != "LoadBalancer" && str_of(old, "type") == "LoadBalancer" {
        for key in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            if spec.get(key) == old.get(key) {
                spec.shift_remove(key);
            }
        }
    }
    if str_of(spec, "type") == "ExternalName" && str_of(old, "type") != "ExternalName" {
        for key in ["ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            spec.shift_remove(key);
        }
    }
    if str_of(spec, "type") != "ExternalName" && spec.get("externalName") == old.get("externalName")
    {
        spec.shift_remove("externalName");
    }
}
