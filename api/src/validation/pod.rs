//! Pods and pod templates.

mod affinity;
mod container;
mod env;
mod probe;
mod resources;
mod security;
mod volume;

use super::format::{dns1123_label, dns1123_subdomain, ip_address, label_value, qualified_name};
use super::meta::{validate_annotations, validate_labels};
use super::rules::{one_of, range, texts};
use super::{Errors, Path};
use crate::strategy::Map;
use crate::strategy::json::{
    int_of, is_empty, is_nil, is_true, list_of, map_of, maps_of, str_at, str_of, strs_of,
};
use std::collections::BTreeSet;

/// Where a pod's spec stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In a pod.
    Pod,
    /// In a template.
    Template,
}

const POLICIES: [&str; 3] = ["Always", "OnFailure", "Never"];
const DNS_POLICIES: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];

/// What is wrong with the template of a workload.
pub(crate) fn validate_template(template: &Map, path: &Path<'_>, errors: &mut Errors) {
    let meta = path.child("metadata");
    if let Some(metadata) = map_of(template, "metadata") {
        validate_labels(map_of(metadata, "labels"), &path.child("labels"), errors);
        validate_annotations(map_of(metadata, "annotations"), &meta.child("annotations"), errors);
    }
    let empty = Map::new();
    let spec = map_of(template, "spec").unwrap_or(&empty);
    validate_pod_spec(spec, &path.child("spec"), Scope::Template, errors);
    if !is_empty(spec, "ephemeralContainers") {
        let detail = "ephemeral containers not allowed in pod template";
        errors.forbidden(path.child("spec").child("ephemeralContainers"), detail);
    }
}

/// What is wrong with a pod's spec.
pub(crate) fn validate_pod_spec(spec: &Map, path: &Path<'_>, scope: Scope, errors: &mut Errors) {
    let volumes = volume::validate(spec, path, errors);
    container::validate_all(spec, path, &volumes, errors);
    one_of(spec, "restartPolicy", &POLICIES, path, errors);
    one_of(spec, "dnsPolicy", &DNS_POLICIES, path, errors);
    dns(spec, path, errors);
    for (key, value) in map_of(spec, "nodeSelector").into_iter().flatten() {
        texts(path.child("nodeSelector"), key, &qualified_name(key), errors);
        let value = value.as_str().unwrap_or_default();
        texts(path.child("nodeSelector"), value, &label_value(value), errors);
    }
    names(spec, path, scope, errors);
    security::validate_pod(spec, path, errors);
    affinity::validate(spec, path, errors);
    affinity::tolerations(spec, path, errors);
    affinity::spread(spec, path, errors);
    range(spec, "activeDeadlineSeconds", 1, i64::from(i32::MAX), path, errors);
    if let Some(grace) = int_of(spec, "terminationGracePeriodSeconds").filter(|grace| *grace < 0) {
        let at = path.child("terminationGracePeriodSeconds");
        errors.invalid(at, grace, "must be greater than or equal to 0");
    }
    host_aliases(spec, path, errors);
    gates(spec, path, scope, errors);
}

fn names(spec: &Map, path: &Path<'_>, scope: Scope, errors: &mut Errors) {
    for (key, check) in [
        ("serviceAccountName", dns1123_subdomain as fn(&str) -> Vec<String>),
        ("nodeName", dns1123_subdomain),
        ("hostname", dns1123_label),
        ("subdomain", dns1123_label),
        ("priorityClassName", dns1123_subdomain),
        ("runtimeClassName", dns1123_subdomain),
        ("schedulerName", qualified_name),
    ] {
        let name = str_of(spec, key);
        // In a template the name of a node is taken as it is.
        let skipped = scope == Scope::Template && key == "nodeName";
        if !name.is_empty() && !skipped {
            texts(path.child(key), name, &check(name), errors);
        }
    }
    let mut seen = BTreeSet::new();
    for (at, secret) in maps_of(spec, "imagePullSecrets") {
        let name = str_of(secret, "name");
        if !name.is_empty() && !seen.insert(name) {
            errors.duplicate(path.child("imagePullSecrets").index(at).child("name"), name);
        }
    }
}

fn dns(spec: &Map, path: &Path<'_>, errors: &mut Errors) {
    let at = path.child("dnsConfig");
    let config = map_of(spec, "dnsConfig");
    if str_of(spec, "dnsPolicy") == "None" && config.is_none_or(|c| is_empty(c, "nameservers")) {
        let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        errors.required(at, detail);
    }
    let Some(config) = config else { return };
    if list_of(config, "nameservers").len() > 3 {
        let detail = "must not have more than 3 nameservers";
        errors.invalid(at.child("nameservers"), list_of(config, "nameservers"), detail);
    }
    for (place, server) in strs_of(config, "nameservers") {
        texts(at.child("nameservers").index(place), server, &ip_address(server), errors);
    }
    for (place, option) in maps_of(config, "options") {
        if is_empty(option, "name") {
            errors.required(at.child("options").index(place), "must not be empty");
        }
    }
}

fn host_aliases(spec: &Map, path: &Path<'_>, errors: &mut Errors) {
    let at = path.child("hostAliases");
    for (place, alias) in maps_of(spec, "hostAliases") {
        let ip = str_of(alias, "ip");
        texts(at.index(place).child("ip"), ip, &ip_address(ip), errors);
        for (_, name) in strs_of(alias, "hostnames") {
            texts(at.index(place).child("hostnames"), name, &dns1123_subdomain(name), errors);
        }
    }
}

fn gates(spec: &Map, path: &Path<'_>, scope: Scope, errors: &mut Errors) {
    for (at, gate) in maps_of(spec, "readinessGates") {
        let name = str_of(gate, "conditionType");
        let path = path.child("readinessGates");
        texts(path.index(at).child("conditionType"), name, &qualified_name(name), errors);
    }
    let mut seen = BTreeSet::new();
    for (at, gate) in maps_of(spec, "schedulingGates") {
        let name = str_of(gate, "name");
        let path = path.child("schedulingGates");
        texts(path.index(at), name, &qualified_name(name), errors);
        if !seen.insert(name) {
            errors.duplicate(path.index(at), name);
        }
    }
    if scope == Scope::Pod && !seen.is_empty() && !is_empty(spec, "nodeName") {
        let detail = "cannot be set until all schedulingGates have been cleared";
        errors.forbidden(path.child("nodeName"), detail);
    }
    let windows = str_at(spec, &["os", "name"]);
    if !is_nil(spec, "os") && !["linux", "windows"].contains(&windows) {
        errors.not_supported(path.child("os").child("name"), windows, &["linux", "windows"]);
    }
    if is_true(spec, "shareProcessNamespace") && is_true(spec, "hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(path.child("shareProcessNamespace"), true, detail);
    }
}
