//! Ingresses and NetworkPolicies.

use super::json::{
    each_mut, fill, int_of, is_empty, is_nil, list_of, map_mut, map_of, maps_of, str_of, strs_of,
};
use super::{Map, Strategy};
use crate::validation::format::{
    cidr, dns1035_label, dns1123_subdomain, port_name, wildcard_subdomain,
};
use crate::validation::rules::{label_selector, one_of, port, texts};
use crate::validation::{Errors, Path};
use serde_json::json;

/// The rules of Ingresses.
pub(super) struct Ingress;

/// The rules of NetworkPolicies.
pub(super) struct NetworkPolicy;

const SPEC: Path<'static> = Path::new("spec");

// === impl Ingress ===

impl Strategy for Ingress {
    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), json!({"loadBalancer": {}}));
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        if list_of(spec, "rules").is_empty() && is_nil(spec, "defaultBackend") {
            errors.invalid(
                SPEC,
                list_of(spec, "rules"),
                "either `defaultBackend` or `rules` must be specified",
            );
        }
        if let Some(found) = map_of(spec, "defaultBackend") {
            backend(found, &SPEC.child("defaultBackend"), &mut errors);
        }
        let list = SPEC.child("rules");
        for (at, rule) in maps_of(spec, "rules") {
            ingress_rule(rule, &list.index(at), &mut errors);
        }
        let list = SPEC.child("tls");
        for (at, tls) in maps_of(spec, "tls") {
            for (place, host) in strs_of(tls, "hosts") {
                let path = list.index(at);
                texts(path.child("hosts").index(place), host, &host_name(host), &mut errors);
            }
        }
        errors
    }
}

fn ingress_rule(rule: &Map, path: &Path<'_>, errors: &mut Errors) {
    let host = str_of(rule, "host");
    if !host.is_empty() {
        if host.parse::<std::net::IpAddr>().is_ok() {
            errors.invalid(path.child("host"), host, "must be a DNS name, not an IP address");
        }
        texts(path.child("host"), host, &host_name(host), errors);
    }
    let Some(http) = map_of(rule, "http") else { return };
    let path = path.child("http");
    let list = path.child("paths");
    if list_of(http, "paths").is_empty() {
        errors.required(list, "");
    }
    for (at, entry) in maps_of(http, "paths") {
        let path = list.index(at);
        let (kind, target) = (str_of(entry, "pathType"), str_of(entry, "path"));
        match kind {
            "" => errors.required(path.child("pathType"), "pathType must be specified"),
            "Exact" | "Prefix" => {
                if !target.starts_with('/') {
                    errors.invalid(path.child("path"), target, "must be an absolute path");
                }
                for bad in ["//", "/./", "/../", "%2f", "%2F"] {
                    if target.contains(bad) {
                        errors.invalid(
                            path.child("path"),
                            target,
                            &format!("must not contain '{bad}'"),
                        );
                    }
                }
            }
            "ImplementationSpecific" => {
                if !target.is_empty() && !target.starts_with('/') {
                    errors.invalid(path.child("path"), target, "must be an absolute path");
                }
            }
            other => {
                let known = ["Exact", "ImplementationSpecific", "Prefix"];
                errors.not_supported(path.child("pathType"), other, &known);
            }
        }
        let empty = Map::new();
        backend(map_of(entry, "backend").unwrap_or(&empty), &path.child("backend"), errors);
    }
}

fn backend(backend: &Map, path: &Path<'_>, errors: &mut Errors) {
    match (map_of(backend, "service"), map_of(backend, "resource")) {
        (Some(_), Some(_)) => {
            errors.invalid(path, "", "cannot set both resource and service backends");
        }
        (None, None) => errors.required(path, "resource or service backend is required"),
        (None, Some(_)) => {}
        (Some(service), None) => {
            let path = path.child("service");
            match str_of(service, "name") {
                "" => errors.required(path.child("name"), ""),
                name => texts(path.child("name"), name, &dns1035_label(name), errors),
            }
            let empty = Map::new();
            let port = map_of(service, "port").unwrap_or(&empty);
            match (str_of(port, "name"), int_of(port, "number").unwrap_or(0)) {
                ("", 0) => errors.required(path, "port name or number is required"),
                ("", number) => {
                    for message in crate::validation::format::port_number(number) {
                        errors.invalid(path.child("port").child("number"), number, &message);
                    }
                }
                (name, 0) => {
                    texts(path.child("port").child("name"), name, &port_name(name), errors);
                }
                _ => errors.invalid(path, "", "cannot set both port name & port number"),
            }
        }
    }
}

fn host_name(host: &str) -> Vec<String> {
    if host.contains('*') { wildcard_subdomain(host) } else { dns1123_subdomain(host) }
}

// === impl NetworkPolicy ===

impl Strategy for NetworkPolicy {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        if is_empty(spec, "policyTypes") {
            let egress = !is_empty(spec, "egress");
            let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            spec.insert("policyTypes".into(), types);
        }
        for direction in ["ingress", "egress"] {
            for rule in each_mut(spec, direction) {
                each_mut(rule, "ports").for_each(|port| fill(port, "protocol", "TCP"));
            }
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        if let Some(selector) = map_of(spec, "podSelector") {
            label_selector(selector, &SPEC.child("podSelector"), &mut errors);
        }
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            let list = SPEC.child(direction);
            for (at, rule) in maps_of(spec, direction) {
                policy_rule(rule, peers, &list.index(at), &mut errors);
            }
        }
        let types = list_of(spec, "policyTypes");
        if types.len() > 2 {
            let detail = "may not specify more than two policyTypes";
            errors.invalid(SPEC.child("policyTypes"), types, detail);
        }
        let list = SPEC.child("policyTypes");
        for (at, kind) in strs_of(spec, "policyTypes") {
            if !["Ingress", "Egress"].contains(&kind) {
                errors.not_supported(list.index(at), kind, &["Egress", "Ingress"]);
            }
        }
        errors
    }
}

fn policy_rule(rule: &Map, peers: &str, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("ports");
    for (at, entry) in maps_of(rule, "ports") {
        let path = list.index(at);
        one_of(entry, "protocol", &["SCTP", "TCP", "UDP"], &path, errors);
        if !is_nil(entry, "port") {
            port(entry.get("port"), &path.child("port"), errors);
        }
        let (first, last) = (int_of(entry, "port"), int_of(entry, "endPort"));
        match (first, last) {
            (None, Some(_)) => {
                errors.required(path.child("port"), "must be specified when endPort is specified");
            }
            (Some(first), Some(last)) if last < first => {
                let detail = "must be greater than or equal to `port`";
                errors.invalid(path.child("endPort"), last, detail);
            }
            _ => {}
        }
    }
    let list = path.child(peers);
    for (at, peer) in maps_of(rule, peers) {
        let path = list.index(at);
        for key in ["podSelector", "namespaceSelector"] {
            if let Some(selector) = map_of(peer, key) {
                label_selector(selector, &path.child(key), errors);
            }
        }
        let selectors = !is_nil(peer, "podSelector") || !is_nil(peer, "namespaceSelector");
        match map_of(peer, "ipBlock") {
            Some(_) if selectors => {
                errors.forbidden(path, "may not specify both ipBlock and another peer");
            }
            Some(block) => {
                let range = str_of(block, "cidr");
                texts(path.child("ipBlock").child("cidr"), range, &cidr(range), errors);
            }
            None if !selectors => errors.required(path, "must specify a peer"),
            None => {}
        }
    }
}
