//! The metadata that all kinds have.

use super::format::{dns1123_label, label_value, qualified_name};
use super::{Errors, NameRule, Path};
use crate::strategy::Map;
use crate::strategy::json::{is_empty, is_true, list_of, map_of, maps_of, str_of, strs_of};
use serde_json::Value;

const TOTAL_ANNOTATIONS: usize = 256 * 1024;
const META: Path<'static> = Path::new("metadata");
const IMMUTABLE: &str = "field is immutable";

/// What is wrong with the metadata of an object.
#[must_use]
pub fn validate_meta(object: &Map, namespaced: bool, rule: NameRule) -> Errors {
    let mut errors = Errors::default();
    let empty = Map::new();
    let meta = map_of(object, "metadata").unwrap_or(&empty);
    let prefix = str_of(meta, "generateName");
    if !prefix.is_empty() {
        for message in rule.check(prefix, true) {
            errors.invalid(META.child("generateName"), prefix, &message);
        }
    }
    match str_of(meta, "name") {
        "" => errors.required(META.child("name"), "name or generateName is required"),
        name => {
            for message in rule.check(name, false) {
                errors.invalid(META.child("name"), name, &message);
            }
        }
    }
    namespace(meta, namespaced, &mut errors);
    validate_common(meta, &mut errors);
    errors
}

/// What is wrong with a change of the metadata, and with what it leads to.
#[must_use]
pub fn validate_meta_update(new: &Map, old: &Map) -> Errors {
    let mut errors = Errors::default();
    let empty = Map::new();
    let (new, old) =
        (map_of(new, "metadata").unwrap_or(&empty), map_of(old, "metadata").unwrap_or(&empty));
    if !is_empty(old, "deletionTimestamp") {
        for finalizer in list_of(new, "finalizers") {
            if !list_of(old, "finalizers").contains(finalizer) {
                let detail = format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{finalizer}}}"
                );
                errors.forbidden(META.child("finalizers"), &detail);
            }
        }
    }
    for key in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        if new.get(key) != old.get(key) {
            let value = new.get(key).cloned().unwrap_or(Value::Null);
            errors.invalid(META.child(key), value, IMMUTABLE);
        }
    }
    validate_common(new, &mut errors);
    errors
}

/// The finalizers of Kubernetes' own kinds are well known, or have the name of a domain before a slash.
pub(crate) fn validate_finalizer_names(object: &Map, errors: &mut Errors) {
    for (_, name) in map_of(object, "metadata").into_iter().flat_map(|m| strs_of(m, "finalizers")) {
        if !name.contains('/') && !matches!(name, "orphan" | "foregroundDeletion" | "kubernetes") {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(META.child("finalizers"), name, detail);
        }
    }
}

/// Labels as metadata, selectors and templates have them.
pub(crate) fn validate_labels(labels: Option<&Map>, path: &Path<'_>, errors: &mut Errors) {
    for (key, value) in labels.into_iter().flatten() {
        for message in qualified_name(key) {
            errors.invalid(path, key.as_str(), &message);
        }
        let value = value.as_str().unwrap_or_default();
        for message in label_value(value) {
            errors.invalid(path, value, &message);
        }
    }
}

/// Annotations as metadata and templates have them.
pub(crate) fn validate_annotations(
    annotations: Option<&Map>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut total = 0;
    for (key, value) in annotations.into_iter().flatten() {
        for message in qualified_name(&key.to_lowercase()) {
            errors.invalid(path, key.as_str(), &message);
        }
        total += key.len() + value.as_str().map_or(0, str::len);
    }
    if total > TOTAL_ANNOTATIONS {
        errors.too_long(path, TOTAL_ANNOTATIONS);
    }
}

fn namespace(meta: &Map, namespaced: bool, errors: &mut Errors) {
    let namespace = str_of(meta, "namespace");
    match (namespaced, namespace) {
        (true, "") => errors.required(META.child("namespace"), ""),
        (true, name) => {
            for message in dns1123_label(name) {
                errors.invalid(META.child("namespace"), name, &message);
            }
        }
        (false, "") => {}
        (false, _) => errors.forbidden(META.child("namespace"), "not allowed on this type"),
    }
}

fn validate_common(meta: &Map, errors: &mut Errors) {
    if meta.get("generation").and_then(Value::as_i64).is_some_and(|generation| generation < 0) {
        let value = meta["generation"].clone();
        errors.invalid(META.child("generation"), value, "must be greater than or equal to 0");
    }
    validate_labels(map_of(meta, "labels"), &META.child("labels"), errors);
    validate_annotations(map_of(meta, "annotations"), &META.child("annotations"), errors);
    owner_references(meta, errors);
    finalizers(meta, errors);
}

fn owner_references(meta: &Map, errors: &mut Errors) {
    let path = META.child("ownerReferences");
    let mut controller: Option<&str> = None;
    for (_, owner) in maps_of(meta, "ownerReferences") {
        let (version, kind) = (str_of(owner, "apiVersion"), str_of(owner, "kind"));
        if version.is_empty() || version.ends_with('/') {
            errors.invalid(path.child("apiVersion"), version, "version must not be empty");
        }
        if kind.is_empty() {
            errors.invalid(path.child("kind"), kind, "must not be empty");
        }
        for key in ["name", "uid"] {
            if str_of(owner, key).is_empty() {
                errors.invalid(path.child(key), "", "must not be empty");
            }
        }
        if (version, kind) == ("v1", "Event") {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            errors.invalid(path, Value::Object(owner.clone()), detail);
        }
        if !is_true(owner, "controller") {
            continue;
        }
        if let Some(first) = controller {
            let detail = format!(
                "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {}",
                str_of(owner, "name")
            );
            let owners = meta.get("ownerReferences").cloned().unwrap_or(Value::Null);
            errors.invalid(path, owners, &detail);
        }
        controller = Some(str_of(owner, "name"));
    }
}

fn finalizers(meta: &Map, errors: &mut Errors) {
    let path = META.child("finalizers");
    let names: Vec<_> = list_of(meta, "finalizers").iter().filter_map(Value::as_str).collect();
    for name in &names {
        for message in qualified_name(name) {
            errors.invalid(path, *name, &message);
        }
    }
    if names.contains(&"orphan") && names.contains(&"foregroundDeletion") {
        let value = meta.get("finalizers").cloned().unwrap_or(Value::Null);
        let detail = "finalizer orphan and foregroundDeletion can not be both set";
        errors.invalid(path, value, detail);
    }
}
