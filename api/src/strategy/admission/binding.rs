//! Bindings of admission policies.

use super::{SPEC, default_match, rules};
use crate::strategy::json::{existing_mut, fill, is_empty, list_of, map_mut, map_of, str_of};
use crate::strategy::{Map, Strategy};
use crate::validation::format::dns1123_subdomain;
use crate::validation::rules::{label_selector, one_of, texts};
use crate::validation::{Errors, Path};
use serde_json::Value;

/// The rules of bindings of both sorts.
pub(in crate::strategy) struct Binding;

const ACTIONS: [&str; 3] = ["Audit", "Deny", "Warn"];

// === impl Binding ===

impl Strategy for Binding {
    fn default(&self, object: &mut Map) {
        if let Some(matching) = existing_mut(map_mut(object, "spec"), "matchResources") {
            default_match(matching);
        }
        if let Some(parameters) = existing_mut(map_mut(object, "spec"), "paramRef") {
            fill(parameters, "parameterNotFoundAction", "Deny");
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        let (name, path) = (str_of(spec, "policyName"), SPEC.child("policyName"));
        if name.is_empty() {
            errors.required(path, "");
        } else {
            texts(path, name, &dns1123_subdomain(name), &mut errors);
        }
        if let Some(reference) = map_of(spec, "paramRef") {
            parameters(reference, &SPEC.child("paramRef"), &mut errors);
        }
        if let Some(matching) = map_of(spec, "matchResources") {
            rules::matching(matching, &SPEC.child("matchResources"), &mut errors);
        }
        if str_of(object, "kind").starts_with("Validating") {
            actions(list_of(spec, "validationActions"), &mut errors);
        }
        errors
    }
}

fn parameters(reference: &Map, path: &Path<'_>, errors: &mut Errors) {
    let (named, selected) = (!is_empty(reference, "name"), map_of(reference, "selector"));
    let both = "name and selector are mutually exclusive";
    if let Some(selector) = selected {
        label_selector(selector, &path.child("selector"), errors);
        if named {
            errors.forbidden(path.child("name"), both);
            errors.forbidden(path.child("selector"), both);
        }
    } else if !named {
        errors.required(path, "one of name or selector must be specified");
    }
    one_of(reference, "parameterNotFoundAction", &["Deny", "Allow"], path, errors);
}

fn actions(given: &[Value], errors: &mut Errors) {
    let list = SPEC.child("validationActions");
    let mut seen = std::collections::BTreeSet::new();
    for (at, action) in given.iter().filter_map(Value::as_str).enumerate() {
        if !ACTIONS.contains(&action) {
            errors.not_supported(list.index(at), action, &ACTIONS);
        }
        if !seen.insert(action) {
            errors.duplicate(list.index(at), action);
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        errors.invalid(list, given, detail);
    }
    if seen.is_empty() {
        errors.required(list, "at least one validation action is required");
    }
}
