//! Security contexts.

use super::super::rules::{none_or, not_negative, one_of};
use super::super::{Errors, Path};
use crate::strategy::Map;
use crate::strategy::json::{is_empty, is_true, map_of, maps_of, str_of};
use serde_json::Value;

const PROFILES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];

pub(super) fn validate_pod(spec: &Map, path: &Path<'_>, errors: &mut Errors) {
    let Some(context) = map_of(spec, "securityContext") else { return };
    let path = path.child("securityContext");
    not_negative(context, &["runAsUser", "runAsGroup", "fsGroup"], &path, errors);
    none_or(context, "fsGroupChangePolicy", &["OnRootMismatch", "Always"], &path, errors);
    none_or(context, "supplementalGroupsPolicy", &["Merge", "Strict"], &path, errors);
    profiles(context, &path, errors);
    let list = path.child("sysctls");
    let mut seen = std::collections::BTreeSet::new();
    for (at, sysctl) in maps_of(context, "sysctls") {
        let name = str_of(sysctl, "name");
        if name.is_empty() {
            errors.required(list.index(at).child("name"), "");
        } else if !seen.insert(name) {
            errors.duplicate(list.index(at).child("name"), name);
        }
    }
}

pub(super) fn validate_container(container: &Map, path: &Path<'_>, errors: &mut Errors) {
    let Some(context) = map_of(container, "securityContext") else { return };
    let path = path.child("securityContext");
    not_negative(context, &["runAsUser", "runAsGroup"], &path, errors);
    profiles(context, &path, errors);
    none_or(context, "procMount", &["Default", "Unmasked"], &path, errors);
    if context.get("allowPrivilegeEscalation") == Some(&Value::Bool(false)) {
        if is_true(context, "privileged") {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.invalid(path, Value::Object(context.clone()), detail);
        }
        let adds =
            map_of(context, "capabilities").map(|c| crate::strategy::json::list_of(c, "add"));
        if adds.is_some_and(|adds| adds.iter().any(|name| name == "CAP_SYS_ADMIN")) {
            let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.invalid(path, Value::Object(context.clone()), detail);
        }
    }
}

fn profiles(context: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in ["seccompProfile", "appArmorProfile"] {
        let Some(profile) = map_of(context, key) else { continue };
        let path = path.child(key);
        one_of(profile, "type", &PROFILES, &path, errors);
        let local = str_of(profile, "type") == "Localhost";
        if local && is_empty(profile, "localhostProfile") {
            let detail = "must be set when seccomp type is Localhost";
            errors.required(path.child("localhostProfile"), detail);
        }
        if !local && !is_empty(profile, "localhostProfile") {
            let detail = "can only be set when seccomp type is Localhost";
            let value = str_of(profile, "localhostProfile");
            errors.invalid(path.child("localhostProfile"), value, detail);
        }
    }
}
