//! Environment variables.

use super::super::format::{config_map_key, env_var_name};
use super::super::rules::{only_one, texts};
use super::super::{Errors, Path};
use crate::strategy::Map;
use crate::strategy::json::{is_empty, map_of, maps_of, str_of};

const SOURCES: [&str; 5] =
    ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

pub(super) fn validate(container: &Map, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("env");
    for (at, env) in maps_of(container, "env") {
        let path = list.index(at);
        match str_of(env, "name") {
            "" => errors.required(path.child("name"), ""),
            name => texts(path.child("name"), name, &env_var_name(name), errors),
        }
        if let Some(source) = map_of(env, "valueFrom") {
            value_from(env, source, &path.child("valueFrom"), errors);
        }
    }
    let list = path.child("envFrom");
    for (at, from) in maps_of(container, "envFrom") {
        let path = list.index(at);
        let prefix = str_of(from, "prefix");
        if !prefix.is_empty() {
            texts(path.child("prefix"), prefix, &env_var_name(prefix), errors);
        }
        let keys = ["configMapRef", "secretRef"];
        match only_one(
            from,
            &keys,
            &path,
            "may not have more than one field specified at a time",
            errors,
        ) {
            None => errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"),
            Some(key) => {
                if map_of(from, key).is_none_or(|reference| is_empty(reference, "name")) {
                    errors.required(path.child(key).child("name"), "");
                }
            }
        }
    }
}

fn value_from(env: &Map, source: &Map, path: &Path<'_>, errors: &mut Errors) {
    if !is_empty(env, "value") {
        errors.invalid(path, "", "may not be specified when `value` is not empty");
    }
    let set: Vec<_> = SOURCES.iter().filter(|key| !is_empty(source, key)).collect();
    let key = match set.as_slice() {
        [] => {
            let detail = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`";
            return errors.invalid(path, "", detail);
        }
        [one] => **one,
        _ => {
            let detail = "may not have more than one field specified at a time";
            return errors.invalid(path, "", detail);
        }
    };
    let Some(reference) = map_of(source, key) else { return };
    let path = path.child(key);
    match key {
        "fieldRef" => field_ref(reference, &path, errors),
        "resourceFieldRef" if is_empty(reference, "resource") => {
            errors.required(path.child("resource"), "");
        }
        "configMapKeyRef" | "secretKeyRef" => {
            if is_empty(reference, "name") {
                errors.required(path.child("name"), "");
            }
            match str_of(reference, "key") {
                "" => errors.required(path.child("key"), ""),
                name => texts(path.child("key"), name, &config_map_key(name), errors),
            }
        }
        _ => {}
    }
}

fn field_ref(reference: &Map, path: &Path<'_>, errors: &mut Errors) {
    let field = str_of(reference, "fieldPath");
    if field.is_empty() {
        return errors.required(path.child("fieldPath"), "");
    }
    let subscripted = ["metadata.labels['", "metadata.annotations['"]
        .iter()
        .any(|prefix| field.starts_with(prefix) && field.ends_with("']"));
    if !subscripted && !FIELDS.contains(&field) {
        errors.not_supported(path.child("fieldPath"), field, &FIELDS);
    }
}
