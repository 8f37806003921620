//! Webhook configurations and admission policies.

use super::json::{
    each_mut, existing_mut, fill, fill_nil, is_empty, is_nil, list_of, map_mut, map_of, maps_of,
    str_of,
};
use super::{Map, Strategy};
use crate::admission::{compile, environment};
use crate::cel::{Environment, Program, Type};
use crate::validation::format::{dns1123_subdomain, qualified_name};
use crate::validation::rules::{client_config, one_of, texts};
use crate::validation::{Errors, Path};

/// The rules of webhook configurations of both sorts.
pub(super) struct Webhooks;

/// The rules of admission policies of both sorts. Their expressions are compiled in admission.
pub(super) struct Policy;

/// The rules of bindings of admission policies.
pub(super) struct Binding;

/// How many conditions there may be.
const MAX_CONDITIONS: usize = 64;
const SPEC: Path<'static> = Path::new("spec");
const EMPTY_SELECTORS: [&str; 2] = ["namespaceSelector", "objectSelector"];

// === impl Webhooks ===

impl Strategy for Webhooks {
    fn default(&self, object: &mut Map) {
        let mutating = str_of(object, "kind").starts_with("Mutating");
        for hook in each_mut(object, "webhooks") {
            fill_nil(hook, "failurePolicy", "Fail");
            fill_nil(hook, "matchPolicy", "Equivalent");
            EMPTY_SELECTORS.iter().for_each(|key| fill_nil(hook, key, Map::new()));
            fill_nil(hook, "timeoutSeconds", 10);
            if mutating {
                fill_nil(hook, "reinvocationPolicy", "Never");
            }
            if let Some(config) = existing_mut(hook, "clientConfig")
                && let Some(service) = existing_mut(config, "service")
            {
                fill_nil(service, "port", 443);
            }
            each_mut(hook, "rules").for_each(|rule| fill_nil(rule, "scope", "*"));
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let list = Path::new("webhooks");
        let mut names = std::collections::BTreeSet::new();
        for (at, hook) in maps_of(object, "webhooks") {
            let path = list.index(at);
            if !names.insert(str_of(hook, "name")) {
                errors.duplicate(path.child("name"), str_of(hook, "name"));
            }
            webhook(hook, &path, &mut errors);
        }
        errors
    }
}

fn webhook(hook: &Map, path: &Path<'_>, errors: &mut Errors) {
    let name = str_of(hook, "name");
    if name.is_empty() {
        errors.required(path.child("name"), "");
    } else if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        errors.invalid(path.child("name"), name, detail);
    } else {
        texts(path.child("name"), name, &dns1123_subdomain(name), errors);
    }
    let versions = list_of(hook, "admissionReviewVersions");
    if versions.is_empty() {
        errors.required(path.child("admissionReviewVersions"), "must specify one of v1, v1beta1");
    } else if !versions.iter().any(|version| version == "v1") {
        errors.invalid(
            path.child("admissionReviewVersions"),
            versions,
            "must include at least one of v1, v1beta1",
        );
    }
    if is_empty(hook, "sideEffects") {
        let detail = "must specify one of None, NoneOnDryRun";
        errors.required(path.child("sideEffects"), detail);
    } else {
        one_of(hook, "sideEffects", &["None", "NoneOnDryRun"], path, errors);
    }
    one_of(hook, "failurePolicy", &["Fail", "Ignore"], path, errors);
    one_of(hook, "matchPolicy", &["Equivalent", "Exact"], path, errors);
    if let Some(seconds) = hook
        .get("timeoutSeconds")
        .and_then(serde_json::Value::as_i64)
        .filter(|s| !(1..=30).contains(s))
    {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.invalid(path.child("timeoutSeconds"), seconds, detail);
    }
    let empty = Map::new();
    let config = map_of(hook, "clientConfig").unwrap_or(&empty);
    client_config(config, &path.child("clientConfig"), errors);
    rules(hook, "rules", path, errors);
    conditions(hook, false, path, errors);
}

/// Conditions of a webhook or a policy; `params`: they may look at parameters.
fn conditions(holder: &Map, params: bool, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("matchConditions");
    let count = list_of(holder, "matchConditions").len();
    if count > MAX_CONDITIONS {
        return errors.too_many(list, count, MAX_CONDITIONS);
    }
    let environment = environment(params, true, None);
    let mut names = std::collections::BTreeSet::new();
    for (at, condition) in maps_of(holder, "matchConditions") {
        let path = list.index(at);
        let name = str_of(condition, "name");
        if name.is_empty() {
            errors.required(path.child("name"), "");
        } else {
            texts(path.child("name"), name, &qualified_name(name), errors);
            if !names.insert(name) {
                errors.duplicate(path.child("name"), name);
            }
        }
        expression(condition, "expression", &environment, &[Type::Bool], &path, errors);
    }
}

/// An expression that must be there, and have a value of one of these types. What compiled.
fn expression(
    holder: &Map,
    key: &str,
    environment: &Environment,
    wanted: &[Type],
    path: &Path<'_>,
    errors: &mut Errors,
) -> Option<Program> {
    let (text, path) = (str_of(holder, key), path.child(key));
    if text.trim().is_empty() {
        errors.required(path, "");
        return None;
    }
    match compile(text, environment, wanted) {
        Ok(program) => Some(program),
        Err(why) => {
            errors.invalid(path, text, &why);
            None
        }
    }
}

fn rules(holder: &Map, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child(key);
    for (at, rule) in maps_of(holder, key) {
        let path = list.index(at);
        for key in ["apiGroups", "apiVersions", "operations", "resources"] {
            if list_of(rule, key).is_empty() {
                errors.required(path.child(key), "");
            }
        }
        if !is_nil(rule, "scope") {
            one_of(rule, "scope", &["*", "Cluster", "Namespaced"], &path, errors);
        }
    }
}

// === impl Policy ===

impl Strategy for Policy {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        fill_nil(spec, "failurePolicy", "Fail");
        if let Some(matching) = existing_mut(spec, "matchConstraints") {
            default_match(matching);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        one_of(spec, "failurePolicy", &["Fail", "Ignore"], &SPEC, &mut errors);
        let path = SPEC.child("matchConstraints");
        match map_of(spec, "matchConstraints") {
            None => errors.required(path, ""),
            Some(matching) => {
                if list_of(matching, "resourceRules").is_empty() {
                    errors.required(path.child("resourceRules"), "");
                }
                rules(matching, "resourceRules", &path, &mut errors);
            }
        }
        let list = SPEC.child("validations");
        for (at, validation) in maps_of(spec, "validations") {
            if str_of(validation, "expression").trim().is_empty() {
                errors.required(list.index(at).child("expression"), "expression is not specified");
            }
        }
        if str_of(object, "kind").starts_with("Validating")
            && is_empty(spec, "validations")
            && is_empty(spec, "auditAnnotations")
        {
            errors.required(list, "validations or auditAnnotations must contain at least one item");
        }
        errors
    }
}

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
        if is_empty(spec, "policyName") {
            errors.required(SPEC.child("policyName"), "");
        }
        let validating = str_of(object, "kind").starts_with("Validating");
        let list = SPEC.child("validationActions");
        let actions = list_of(spec, "validationActions");
        if validating && actions.is_empty() {
            errors.required(list, "at least one validation action is required");
        }
        for action in actions.iter().filter_map(serde_json::Value::as_str) {
            if !["Audit", "Deny", "Warn"].contains(&action) {
                errors.not_supported(list, action, &["Audit", "Deny", "Warn"]);
            }
        }
        errors
    }
}

fn default_match(matching: &mut Map) {
    fill_nil(matching, "matchPolicy", "Equivalent");
    EMPTY_SELECTORS.iter().for_each(|key| fill_nil(matching, key, Map::new()));
    for key in ["resourceRules", "excludeResourceRules"] {
        each_mut(matching, key).for_each(|rule| fill_nil(rule, "scope", "*"));
    }
}
