//! The versions as such.

use super::SPEC;
use crate::strategy::Map;
use crate::strategy::json::{is_nil, is_true, list_of, maps_of, str_of, value_at};
use crate::validation::Errors;
use crate::validation::format::dns1035_label;
use crate::validation::rules::texts;
use std::collections::BTreeSet;

/// How long a warning may be.
const MAX_WARNING: usize = 256;

pub(super) fn validate(spec: &Map, errors: &mut Errors) {
    let list = SPEC.child("versions");
    let mut names = BTreeSet::new();
    let mut unique = true;
    for (at, version) in maps_of(spec, "versions") {
        let path = list.index(at);
        let name = str_of(version, "name");
        unique &= names.insert(name);
        if name.is_empty() {
            errors.required(path.child("name"), "");
        } else {
            texts(path.child("name"), name, &dns1035_label(name), errors);
        }
        if value_at(version, &["schema", "openAPIV3Schema"]).is_none_or(serde_json::Value::is_null)
        {
            let path = path.child("schema");
            errors.required(path.child("openAPIV3Schema"), "schemas are required");
        }
        if is_nil(version, "deprecationWarning") {
            continue;
        }
        let (path, text) =
            (path.child("deprecationWarning"), str_of(version, "deprecationWarning"));
        if !is_true(version, "deprecated") {
            errors.invalid(path, text, "can only be set for deprecated versions");
        }
        if text.len() > MAX_WARNING {
            errors.invalid(path, text, &format!("must be <= {MAX_WARNING} characters long"));
        } else if text.is_empty() {
            errors.invalid(path, text, "must not be an empty string");
        } else if text.chars().any(char::is_control) {
            errors.invalid(path, text, "must only contain printable UTF-8 characters");
        }
    }
    if !unique {
        errors.invalid(list, list_of(spec, "versions"), "must contain unique version names");
    }
    let stored = maps_of(spec, "versions").filter(|(_, version)| is_true(version, "storage"));
    if stored.count() != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.invalid(list, list_of(spec, "versions"), detail);
    }
}

/// The same part of all versions, and its path: where they agree it is said once, of all of them.
pub(super) fn each<'a>(
    spec: &'a Map,
    part: &[&str],
    common: &str,
    mut check: impl FnMut(&'a serde_json::Value, &'a Map, &crate::validation::Path<'_>),
) {
    let versions: Vec<_> = maps_of(spec, "versions").collect();
    let of = |version: &'a Map| value_at(version, part).filter(|value| !value.is_null());
    let Some((_, first)) = versions.first() else { return };
    if versions.iter().all(|(_, version)| of(version) == of(first)) {
        let path = SPEC.child(common);
        match (of(first), part.get(1)) {
            (Some(value), Some(inner)) => check(value, first, &path.child(inner)),
            (Some(value), None) => check(value, first, &path),
            (None, _) => {}
        }
        return;
    }
    let list = SPEC.child("versions");
    for (at, version) in versions {
        let path = list.index(at);
        let path = path.child(part[0]);
        match (of(version), part.get(1)) {
            (Some(value), Some(inner)) => check(value, version, &path.child(inner)),
            (Some(value), None) => check(value, version, &path),
            (None, _) => {}
        }
    }
}
