//! What is wrong with a Service.

use super::{is_external, is_headless};
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_empty, is_nil, list_of, map_of, maps_of, str_of, strs_of};
use crate::validation::format::{cidr, dns1123_label, dns1123_subdomain, ip_address, port_number};
use crate::validation::meta::validate_labels;
use crate::validation::rules::{addresses, none_or, one_of, port, texts};
use crate::validation::{Errors, Path};
use serde_json::Value;
use std::collections::BTreeSet;

const SPEC: Path<'static> = Path::new("spec");
const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

pub(super) fn validate(object: &Map) -> Errors {
    let mut errors = Errors::default();
    let empty = Map::new();
    let spec = map_of(object, "spec").unwrap_or(&empty);
    let kind = str_of(spec, "type");
    if list_of(spec, "ports").is_empty() && !is_headless(spec) && kind != "ExternalName" {
        errors.required(SPEC.child("ports"), "");
    }
    of_type(spec, kind, &mut errors);
    ports(spec, &mut errors);
    validate_labels(map_of(spec, "selector"), &SPEC.child("selector"), &mut errors);
    one_of(spec, "sessionAffinity", &["ClientIP", "None"], &SPEC, &mut errors);
    affinity(spec, &mut errors);
    one_of(spec, "type", &TYPES, &SPEC, &mut errors);
    cluster_ips(spec, kind, &mut errors);
    addresses(spec, "externalIPs", &SPEC, &mut errors);
    policies(spec, kind, &mut errors);
    balancer(spec, kind, &mut errors);
    errors
}

fn of_type(spec: &Map, kind: &str, errors: &mut Errors) {
    if kind == "ExternalName" {
        match str_of(spec, "externalName") {
            "" => errors.required(SPEC.child("externalName"), ""),
            name => {
                let name = name.strip_suffix('.').unwrap_or(name);
                texts(SPEC.child("externalName"), name, &dns1123_subdomain(name), errors);
            }
        }
        if !is_empty(spec, "clusterIPs") {
            errors.forbidden(
                SPEC.child("clusterIPs"),
                "may not be set when `type` is 'ExternalName'",
            );
        }
    }
    if kind == "LoadBalancer" && is_headless(spec) {
        let detail = "may not be set to 'None' for LoadBalancer services";
        errors.invalid(SPEC.child("clusterIPs").index(0), "None", detail);
    }
    if kind == "NodePort" && is_headless(spec) {
        let detail = "may not be set to 'None' for NodePort services";
        errors.invalid(SPEC.child("clusterIPs").index(0), "None", detail);
    }
}

fn ports(spec: &Map, errors: &mut Errors) {
    let several = list_of(spec, "ports").len() > 1;
    let external = is_external(spec);
    let list = SPEC.child("ports");
    let (mut names, mut numbers, mut node) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (at, entry) in maps_of(spec, "ports") {
        let path = list.index(at);
        let (name, protocol) = (str_of(entry, "name"), str_of(entry, "protocol"));
        if name.is_empty() {
            if several {
                errors.required(path.child("name"), "");
            }
        } else {
            texts(path.child("name"), name, &dns1123_label(name), errors);
            if !names.insert(name) {
                errors.duplicate(path.child("name"), name);
            }
        }
        let number = int_of(entry, "port").unwrap_or(0);
        for message in port_number(number) {
            errors.invalid(path.child("port"), number, &message);
        }
        one_of(entry, "protocol", &PROTOCOLS, &path, errors);
        if !is_nil(entry, "targetPort") {
            port(entry.get("targetPort"), &path.child("targetPort"), errors);
        }
        if number != 0 && !numbers.insert((protocol, number)) {
            let value = serde_json::json!({"protocol": protocol, "port": number});
            errors.duplicate(path, value);
        }
        let Some(outside) = int_of(entry, "nodePort").filter(|port| *port != 0) else { continue };
        if !external {
            let detail = "may not be used when `type` is 'ClusterIP'";
            errors.forbidden(path.child("nodePort"), detail);
        } else if !node.insert((protocol, outside)) {
            errors.duplicate(path.child("nodePort"), outside);
        }
    }
}

fn affinity(spec: &Map, errors: &mut Errors) {
    let config =
        map_of(spec, "sessionAffinityConfig").and_then(|config| map_of(config, "clientIP"));
    let Some(seconds) = config.and_then(|config| int_of(config, "timeoutSeconds")) else { return };
    if !(1..=86_400).contains(&seconds) {
        let path = SPEC.child("sessionAffinityConfig");
        let detail = "must be greater than 0 and less than 86400";
        errors.invalid(path.child("clientIP").child("timeoutSeconds"), seconds, detail);
    }
}

fn cluster_ips(spec: &Map, kind: &str, errors: &mut Errors) {
    let list = SPEC.child("clusterIPs");
    let ips = list_of(spec, "clusterIPs");
    if kind == "ExternalName" {
        return;
    }
    if let Some(first) = ips.first()
        && first.as_str() != Some(str_of(spec, "clusterIP"))
    {
        errors.invalid(list, ips, "first value must match `clusterIP`");
    }
    for (at, ip) in strs_of(spec, "clusterIPs") {
        if ip == "None" && ips.len() > 1 {
            errors.invalid(list.index(at), ip, "'None' must be the first and only value");
        } else if ip != "None" && !ip_address(ip).is_empty() {
            let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            errors.invalid(list.index(at), ip, detail);
        }
    }
    if ips.len() > 2 {
        errors.invalid(list, ips, "may only hold up to 2 values");
    }
    let known = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    none_or(spec, "ipFamilyPolicy", &known, &SPEC, errors);
    let list = SPEC.child("ipFamilies");
    for (at, family) in strs_of(spec, "ipFamilies") {
        if !["IPv4", "IPv6"].contains(&family) {
            errors.not_supported(list.index(at), family, &["IPv4", "IPv6"]);
        } else if family == "IPv6" && !is_headless(spec) {
            errors.invalid(list.index(at), family, "not configured on this cluster");
        }
    }
    if str_of(spec, "ipFamilyPolicy") == "RequireDualStack" && !is_headless(spec) {
        let detail = "this cluster is not configured for dual-stack services";
        errors.invalid(SPEC.child("ipFamilyPolicy"), "RequireDualStack", detail);
    }
}

fn policies(spec: &Map, kind: &str, errors: &mut Errors) {
    let outside = is_external(spec) || !is_empty(spec, "externalIPs");
    if is_empty(spec, "externalTrafficPolicy") {
        if is_external(spec) {
            errors.required(SPEC.child("externalTrafficPolicy"), "");
        }
    } else if !outside {
        let detail = "may only be set for externally-accessible services";
        let value = str_of(spec, "externalTrafficPolicy");
        errors.invalid(SPEC.child("externalTrafficPolicy"), value, detail);
    } else {
        one_of(spec, "externalTrafficPolicy", &["Cluster", "Local"], &SPEC, errors);
    }
    if kind != "ExternalName" && is_nil(spec, "internalTrafficPolicy") {
        errors.required(SPEC.child("internalTrafficPolicy"), "");
    } else {
        none_or(spec, "internalTrafficPolicy", &["Cluster", "Local"], &SPEC, errors);
    }
    let health = int_of(spec, "healthCheckNodePort").unwrap_or(0);
    if health != 0 && !super::needs_health_port(spec) {
        let detail =
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.invalid(SPEC.child("healthCheckNodePort"), health, detail);
    }
}

fn balancer(spec: &Map, kind: &str, errors: &mut Errors) {
    let list = SPEC.child("loadBalancerSourceRanges");
    for (at, range) in strs_of(spec, "loadBalancerSourceRanges") {
        let range = range.trim();
        texts(list.index(at), range, &cidr(range), errors);
    }
    if kind == "LoadBalancer" {
        return;
    }
    if !is_empty(spec, "loadBalancerSourceRanges") {
        errors.forbidden(list, "may only be used when `type` is 'LoadBalancer'");
    }
    for key in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
        if spec.get(key).is_some_and(|value| !value.is_null() && value != &Value::Bool(false)) {
            errors.forbidden(SPEC.child(key), "may only be used when `type` is 'LoadBalancer'");
        }
    }
}
