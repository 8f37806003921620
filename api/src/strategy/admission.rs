//! Webhook configurations and admission policies.

mod binding;
mod rules;
mod validating;

pub(super) use binding::Binding;

use super::json::{
    each_mut, existing_mut, fill_nil, is_empty, list_of, map_mut, map_of, maps_of, str_of,
};
use super::{Map, Strategy};
use crate::admission::Compiler;
use crate::cel::escape::RESERVED;
use crate::cel::{Program, Type};
use crate::validation::format::{dns1035_label, dns1123_subdomain, qualified_name};
use crate::validation::rules::{client_config, one_of, texts};
use crate::validation::{Errors, Path};

/// The rules of webhook configurations of both sorts.
pub(super) struct Webhooks;

/// The rules of admission policies of both sorts. Their expressions are compiled in admission.
pub(super) struct Policy;

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
    rules::rules(hook, "rules", path, errors);
    rules::selectors(hook, path, errors);
    conditions(hook, false, path, errors);
}

/// Conditions of a webhook or a policy; `params`: they may look at parameters.
fn conditions(holder: &Map, params: bool, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("matchConditions");
    let count = list_of(holder, "matchConditions").len();
    if count > MAX_CONDITIONS {
        return errors.too_many(list, count, MAX_CONDITIONS);
    }
    let compiler = Compiler::new(params);
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
        let compile = |text: &str| compiler.compile(text, true, &[Type::Bool]);
        expression(condition, "expression", "", compile, &path, errors);
    }
}

/// An expression that must be there and compile; `missing` is said when it is not there.
fn expression(
    holder: &Map,
    key: &str,
    missing: &str,
    compile: impl FnOnce(&str) -> Result<Program, String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (text, path) = (str_of(holder, key), path.child(key));
    if text.trim().is_empty() {
        errors.required(path, missing);
    } else if let Err(why) = compile(text) {
        errors.invalid(path, text, &why);
    }
}

/// The kind of parameters, by the rules of the group, version and kind of an APIService.
fn param_kind(kind: &Map, path: &Path<'_>, errors: &mut Errors) {
    let (version, name) = (str_of(kind, "apiVersion"), str_of(kind, "kind"));
    let field = path.child("apiVersion");
    match version.rsplit_once('/').unwrap_or(("", version)) {
        _ if version.is_empty() => errors.required(field, ""),
        (group, _) if group.contains('/') => {
            errors.invalid(field, version, &format!("unexpected GroupVersion string: {version}"));
        }
        (group, number) => {
            let found = if group.is_empty() { Vec::new() } else { dns1123_subdomain(group) };
            texts(field, group, &found, errors);
            match number {
                "" => errors.invalid(field, version, "version must be specified"),
                number => texts(field, number, &dns1035_label(number), errors),
            }
        }
    }
    let field = path.child("kind");
    if name.is_empty() {
        return errors.required(field, "");
    }
    for why in dns1035_label(&name.to_lowercase()) {
        let detail = format!("may have mixed case, but should otherwise match: {why}");
        errors.invalid(field, name, &detail);
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
                rules::matching(matching, &path, &mut errors);
            }
        }
        let params = map_of(spec, "paramKind");
        if let Some(kind) = params {
            param_kind(kind, &SPEC.child("paramKind"), &mut errors);
        }
        let params = params.is_some();
        conditions(spec, params, &SPEC, &mut errors);
        let mut compiler = Compiler::new(params);
        variables(spec, &mut compiler, &mut errors);
        if str_of(object, "kind").starts_with("Validating") {
            validating::check(object, spec, &compiler, &mut errors);
        } else {
            mutations(spec, &compiler, &mut errors);
        }
        errors
    }
}

fn variables(spec: &Map, compiler: &mut Compiler, errors: &mut Errors) {
    let list = SPEC.child("variables");
    for (at, variable) in maps_of(spec, "variables") {
        let path = list.index(at);
        let name = str_of(variable, "name");
        if name.trim().is_empty() {
            errors.required(path.child("name"), "name is not specified");
        } else if !is_identifier(name) {
            errors.invalid(path.child("name"), name, "name is not a valid CEL identifier");
        }
        let missing = "expression is not specified";
        let compile = |text: &str| compiler.variable(name, text);
        expression(variable, "expression", missing, compile, &path, errors);
    }
}

fn mutations(spec: &Map, compiler: &Compiler, errors: &mut Errors) {
    let list = SPEC.child("mutations");
    if is_empty(spec, "mutations") {
        errors.required(list, "mutations must contain at least one item");
    }
    if is_empty(spec, "reinvocationPolicy") {
        errors.required(SPEC.child("reinvocationPolicy"), "");
    } else {
        one_of(spec, "reinvocationPolicy", &["IfNeeded", "Never"], &SPEC, errors);
    }
    for (at, mutation) in maps_of(spec, "mutations") {
        let path = list.index(at);
        let (key, other, ty) = match str_of(mutation, "patchType") {
            "" => {
                errors.required(path.child("patchType"), "");
                continue;
            }
            "ApplyConfiguration" => {
                ("applyConfiguration", "jsonPatch", Type::Message("Object".into()))
            }
            "JSONPatch" => {
                let patch = Type::Message("JSONPatch".into());
                ("jsonPatch", "applyConfiguration", Type::List(patch.into()))
            }
            unknown => {
                let known = ["ApplyConfiguration", "JSONPatch"];
                errors.not_supported(path.child("patchType"), unknown, &known);
                continue;
            }
        };
        if mutation.contains_key(other) {
            let detail =
                format!("must be omitted if patchType is {}", str_of(mutation, "patchType"));
            errors.invalid(path.child(other), "{}", &detail);
        }
        let empty = Map::new();
        let part = map_of(mutation, key).unwrap_or(&empty);
        let compile = |text: &str| compiler.compile_mutation(text, ty);
        expression(
            part,
            "expression",
            "expression is not specified",
            compile,
            &path.child(key),
            errors,
        );
    }
}

/// Whether expressions can name it.
fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first == '_' || first.is_ascii_alphabetic())
        && letters.all(|letter| letter == '_' || letter.is_ascii_alphanumeric())
        && !RESERVED.contains(&name)
}

fn default_match(matching: &mut Map) {
    fill_nil(matching, "matchPolicy", "Equivalent");
    EMPTY_SELECTORS.iter().for_each(|key| fill_nil(matching, key, Map::new()));
    for key in ["resourceRules", "excludeResourceRules"] {
        each_mut(matching, key).for_each(|rule| fill_nil(rule, "scope", "*"));
    }
}

#[cfg(test)]
mod tests;
