//! What webhooks, policies and bindings are about: rules and selectors.

use crate::strategy::Map;
use crate::strategy::json::{is_nil, list_of, map_of, maps_of, strs_of};
use crate::validation::rules::{label_selector, one_of};
use crate::validation::{Errors, Path};
use std::collections::BTreeSet;

const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

/// `MatchResources`: both lists of rules, the policy and the selectors.
pub(super) fn matching(given: &Map, path: &Path<'_>, errors: &mut Errors) {
    rules(given, "resourceRules", path, errors);
    rules(given, "excludeResourceRules", path, errors);
    one_of(given, "matchPolicy", &["Equivalent", "Exact"], path, errors);
    selectors(given, path, errors);
}

/// `namespaceSelector` and `objectSelector`.
pub(super) fn selectors(given: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in super::EMPTY_SELECTORS {
        if let Some(selector) = map_of(given, key) {
            label_selector(selector, &path.child(key), errors);
        }
    }
}

pub(super) fn rules(holder: &Map, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child(key);
    for (at, one) in maps_of(holder, key) {
        rule(one, &list.index(at), errors);
    }
}

fn rule(rule: &Map, path: &Path<'_>, errors: &mut Errors) {
    for (key, what) in
        [("apiGroups", "API groups"), ("apiVersions", "API versions"), ("operations", "operations")]
    {
        let all = list_of(rule, key);
        if all.is_empty() {
            errors.required(path.child(key), "");
        } else if all.len() > 1 && all.iter().any(|one| one == "*") {
            let detail = format!("if '*' is present, must not specify other {what}");
            errors.invalid(path.child(key), all, &detail);
        }
    }
    let versions = path.child("apiVersions");
    for (at, _) in strs_of(rule, "apiVersions").filter(|(_, version)| version.is_empty()) {
        errors.required(versions.index(at), "");
    }
    let operations = path.child("operations");
    for (at, operation) in strs_of(rule, "operations") {
        if !OPERATIONS.contains(&operation) {
            errors.not_supported(operations.index(at), operation, &OPERATIONS);
        }
    }
    resources(rule, path, errors);
    if !is_nil(rule, "scope") {
        one_of(rule, "scope", &["*", "Cluster", "Namespaced"], path, errors);
    }
    let (names, mut seen) = (path.child("resourceNames"), BTreeSet::new());
    for (at, name) in strs_of(rule, "resourceNames") {
        if !seen.insert(name) {
            errors.duplicate(names.index(at), name);
        }
    }
}

/// `pods`, `pods/status`, `*/scale`, `*`, `*/*`: none that another one holds already.
fn resources(rule: &Map, path: &Path<'_>, errors: &mut Errors) {
    let (list, path) = (list_of(rule, "resources"), path.child("resources"));
    if list.is_empty() {
        errors.required(path, "");
    }
    let (mut whole, mut everywhere, mut plain) = (BTreeSet::new(), BTreeSet::new(), false);
    for (at, one) in strs_of(rule, "resources") {
        let Some((resource, subresource)) = one.split_once('/') else {
            if one.is_empty() {
                errors.required(path.index(at), "");
            }
            plain |= one != "*";
            continue;
        };
        if whole.contains(resource) {
            let detail = format!("if '{resource}/*' is present, must not specify {one}");
            errors.invalid(path.index(at), one, &detail);
        }
        if everywhere.contains(subresource) {
            let detail = format!("if '*/{subresource}' is present, must not specify {one}");
            errors.invalid(path.index(at), one, &detail);
        }
        if subresource == "*" {
            whole.insert(resource);
        }
        if resource == "*" {
            everywhere.insert(subresource);
        }
    }
    let has = |wanted: &str| list.iter().any(|one| one == wanted);
    if list.len() > 1 && has("*/*") {
        errors.invalid(path, list, "if '*/*' is present, must not specify other resources");
    }
    if has("*") && plain {
        let detail = "if '*' is present, must not specify other resources without subresources";
        errors.invalid(path, list, detail);
    }
}
