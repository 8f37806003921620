//! Containers.

use super::super::format::{dns1123_label, port_name, port_number};
use super::super::rules::{none_or, one_of, texts};
use super::super::{Errors, Path};
use super::{env, probe, resources, security};
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_empty, is_nil, is_true, list_of, map_of, maps_of, str_of};
use std::collections::{BTreeMap, BTreeSet};

/// The volumes of a pod: name, and whether it is a claim.
pub(super) type Volumes = BTreeMap<String, bool>;

const PULL_POLICIES: [&str; 3] = ["Always", "IfNotPresent", "Never"];

/// All containers of a pod.
pub(super) fn validate_all(spec: &Map, path: &Path<'_>, volumes: &Volumes, errors: &mut Errors) {
    if list_of(spec, "containers").is_empty() {
        errors.required(path.child("containers"), "");
    }
    let host_network = is_true(spec, "hostNetwork");
    let mut names = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        let list_path = path.child(list);
        let mut host_ports = BTreeSet::new();
        for (at, container) in maps_of(spec, list) {
            let path = list_path.index(at);
            common(container, &path, volumes, errors);
            let name = str_of(container, "name");
            if !name.is_empty() && !names.insert(name) {
                errors.duplicate(path.child("name"), name);
            }
            ports(container, &path, host_network, &mut host_ports, errors);
            lifecycle(container, list == "initContainers", &path, errors);
        }
    }
}

fn common(container: &Map, path: &Path<'_>, volumes: &Volumes, errors: &mut Errors) {
    match str_of(container, "name") {
        "" => errors.required(path.child("name"), ""),
        name => texts(path.child("name"), name, &dns1123_label(name), errors),
    }
    match str_of(container, "image") {
        "" => errors.required(path.child("image"), ""),
        image if image.trim() != image => {
            let detail = "must not have leading or trailing whitespace";
            errors.invalid(path.child("image"), image, detail);
        }
        _ => {}
    }
    let known = ["File", "FallbackToLogsOnError"];
    one_of(container, "terminationMessagePolicy", &known, path, errors);
    env::validate(container, path, errors);
    mounts(container, path, volumes, errors);
    one_of(container, "imagePullPolicy", &PULL_POLICIES, path, errors);
    if let Some(holder) = map_of(container, "resources") {
        resources::validate_resources(holder, &path.child("resources"), errors);
    }
    security::validate_container(container, path, errors);
}

fn ports<'a>(
    container: &'a Map,
    path: &Path<'_>,
    host_network: bool,
    host_ports: &mut BTreeSet<(i64, &'a str, &'a str)>,
    errors: &mut Errors,
) {
    let mut names = BTreeSet::new();
    let list = path.child("ports");
    for (at, port) in maps_of(container, "ports") {
        let path = list.index(at);
        let name = str_of(port, "name");
        if !name.is_empty() {
            let found = port_name(name);
            texts(path.child("name"), name, &found, errors);
            if found.is_empty() && !names.insert(name) {
                errors.duplicate(path.child("name"), name);
            }
        }
        let number = int_of(port, "containerPort").unwrap_or(0);
        if number == 0 {
            errors.required(path.child("containerPort"), "");
        } else {
            for message in port_number(number) {
                errors.invalid(path.child("containerPort"), number, &message);
            }
        }
        one_of(port, "protocol", &["TCP", "UDP", "SCTP"], &path, errors);
        let host = int_of(port, "hostPort").unwrap_or(0);
        if host == 0 {
            continue;
        }
        for message in port_number(host) {
            errors.invalid(path.child("hostPort"), host, &message);
        }
        if host_network && host != number {
            let detail = "must match `containerPort` when `hostNetwork` is true";
            errors.invalid(path.child("hostPort"), host, detail);
        }
        if !host_ports.insert((host, str_of(port, "protocol"), str_of(port, "hostIP"))) {
            let text = format!("{}/{}/{host}", str_of(port, "protocol"), str_of(port, "hostIP"));
            errors.duplicate(path.child("hostPort"), text);
        }
    }
}

fn mounts(container: &Map, path: &Path<'_>, volumes: &Volumes, errors: &mut Errors) {
    let list = path.child("volumeMounts");
    let mut seen = BTreeSet::new();
    for (at, mount) in maps_of(container, "volumeMounts") {
        let path = list.index(at);
        let name = str_of(mount, "name");
        if name.is_empty() {
            errors.required(path.child("name"), "");
        } else if !volumes.contains_key(name) {
            errors.not_found(path.child("name"), name);
        }
        let target = str_of(mount, "mountPath");
        if target.is_empty() {
            errors.required(path.child("mountPath"), "");
        } else if !seen.insert(target) {
            errors.invalid(path.child("mountPath"), target, "must be unique");
        }
        for key in ["subPath", "subPathExpr"] {
            let sub = str_of(mount, key);
            if sub.starts_with('/') {
                errors.invalid(path.child(key), sub, "must be a relative path");
            }
            if sub.split('/').any(|part| part == "..") {
                errors.invalid(path.child(key), sub, "must not contain '..'");
            }
        }
        if !is_empty(mount, "subPath") && !is_empty(mount, "subPathExpr") {
            let sub = str_of(mount, "subPathExpr");
            errors.invalid(
                path.child("subPathExpr"),
                sub,
                "subPathExpr and subPath are mutually exclusive",
            );
        }
        let known = ["None", "HostToContainer", "Bidirectional"];
        none_or(mount, "mountPropagation", &known, &path, errors);
    }
    let list = path.child("volumeDevices");
    for (at, device) in maps_of(container, "volumeDevices") {
        let path = list.index(at);
        match volumes.get(str_of(device, "name")) {
            None => errors.not_found(path.child("name"), str_of(device, "name")),
            Some(false) => errors.invalid(
                path.child("name"),
                str_of(device, "name"),
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
            ),
            Some(true) => {}
        }
        if is_empty(device, "devicePath") {
            errors.required(path.child("devicePath"), "");
        }
    }
}

fn lifecycle(container: &Map, init: bool, path: &Path<'_>, errors: &mut Errors) {
    let restarts = str_of(container, "restartPolicy") == "Always";
    if init && !restarts {
        for key in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if !is_nil(container, key) {
                let detail = "may not be set for init containers without restartPolicy=Always";
                errors.forbidden(path.child(key), detail);
            }
        }
        return;
    }
    if let Some(lifecycle) = map_of(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(handler) = map_of(lifecycle, hook) {
                probe::handler(handler, &path.child("lifecycle").child(hook), errors);
            }
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(found) = map_of(container, name) {
            probe::validate(found, name, &path.child(name), errors);
        }
    }
}
