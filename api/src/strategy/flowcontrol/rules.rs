//! What the parts of FlowSchemas and PriorityLevelConfigurations must be.

use crate::flowcontrol::builtin;
use crate::strategy::Map;
use crate::strategy::json::{
    int_of, is_empty, is_true, list_of, map_of, maps_of, str_at, str_of, strs_of,
};
use crate::validation::rules::{not_negative, one_of, range};
use crate::validation::{Errors, Path};
use windlass_core::scheme::GroupVersionResource;

/// Queues that a level has at most.
const QUEUES: i64 = 10_000_000;
/// Hands that could be dealt, in bits: more could not be told apart by a hash.
const ENTROPY: f64 = 60.0;

/// An object that must be there has the spec that it must have.
pub(super) fn fixed(object: &Map, resource: &GroupVersionResource, errors: &mut Errors) {
    let name = str_at(object, &["metadata", "name"]);
    let mandatory = builtin()
        .into_iter()
        .find(|one| one.mandatory && one.name == name && one.resource == *resource);
    let Some(mandatory) = mandatory else { return };
    let mut spec = object.get("spec").cloned().unwrap_or_default();
    let mut wanted = mandatory.spec;
    for spec in [&mut spec, &mut wanted] {
        // What may be tuned.
        for part in ["exempt", "limited"] {
            if let Some(part) = spec.get_mut(part).and_then(serde_json::Value::as_object_mut) {
                part.retain(|key, _| {
                    !matches!(
                        key.as_str(),
                        "nominalConcurrencyShares" | "lendablePercent" | "borrowingLimitPercent"
                    )
                });
            }
        }
    }
    if spec != wanted {
        let detail = format!("spec of '{name}' must equal the fixed value");
        errors.invalid(Path::new("spec"), spec, &detail);
    }
}

/// Who is meant, and what.
pub(super) fn policy(rules: &Map, path: &Path<'_>, errors: &mut Errors) {
    let subjects = path.child("subjects");
    if list_of(rules, "subjects").is_empty() {
        errors.required(subjects, "subjects must contain at least one value");
    }
    for (at, one) in maps_of(rules, "subjects") {
        subject(one, &subjects.index(at), errors);
    }
    if is_empty(rules, "resourceRules") && is_empty(rules, "nonResourceRules") {
        let detail = "at least one of resourceRules and nonResourceRules has to be non-empty";
        errors.required(path, detail);
    }
    let resources = path.child("resourceRules");
    for (at, rule) in maps_of(rules, "resourceRules") {
        resource_rule(rule, &resources.index(at), errors);
    }
    let paths = path.child("nonResourceRules");
    for (at, rule) in maps_of(rules, "nonResourceRules") {
        let path = paths.index(at);
        words(rule, "verbs", &path, errors);
        words(rule, "nonResourceURLs", &path, errors);
        let urls = path.child("nonResourceURLs");
        for (at, url) in strs_of(rule, "nonResourceURLs") {
            if url != "*" && !url.starts_with('/') {
                errors.invalid(urls.index(at), url, "must start with slash");
            }
        }
    }
}

fn subject(subject: &Map, path: &Path<'_>, errors: &mut Errors) {
    one_of(subject, "kind", &["ServiceAccount", "User", "Group"], path, errors);
    let kind = str_of(subject, "kind");
    for (wanted, field) in
        [("ServiceAccount", "serviceAccount"), ("User", "user"), ("Group", "group")]
    {
        let path = path.child(field);
        match (kind == wanted, map_of(subject, field)) {
            (true, None) => {
                let detail = format!("{field} is required when subject kind is '{kind}'");
                errors.required(path, &detail);
            }
            (false, Some(_)) if !kind.is_empty() => {
                let detail = format!("{field} is forbidden when subject kind is not '{wanted}'");
                errors.forbidden(path, &detail);
            }
            (true, Some(named)) => {
                if str_of(named, "name").is_empty() {
                    errors.required(path.child("name"), "");
                }
                if field == "serviceAccount" && str_of(named, "namespace").is_empty() {
                    errors.required(
                        path.child("namespace"),
                        "must specify namespace for service account",
                    );
                }
            }
            _ => {}
        }
    }
}

fn resource_rule(rule: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in ["verbs", "apiGroups", "resources"] {
        words(rule, key, path, errors);
    }
    if list_of(rule, "namespaces").is_empty() && !is_true(rule, "clusterScope") {
        let detail =
            "resource rules that are not cluster scoped must supply at least one namespace";
        errors.required(path.child("namespaces"), detail);
    } else if strs_of(rule, "namespaces").any(|(_, one)| one == "*") {
        alone(rule, "namespaces", path, errors);
    }
}

/// At least one, and `*` only alone.
fn words(rule: &Map, key: &str, path: &Path<'_>, errors: &mut Errors) {
    if list_of(rule, key).is_empty() {
        errors.required(path.child(key), &format!("{key} must contain at least one value"));
    }
    alone(rule, key, path, errors);
}

fn alone(rule: &Map, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let listed = list_of(rule, key);
    if listed.len() > 1 && listed.iter().any(|one| one == "*") {
        let detail = format!("if '*' is present, must not specify other {key}");
        errors.invalid(path.child(key), listed.to_vec(), &detail);
    }
}

/// How seats are had, and lent.
pub(super) fn shares(part: &Map, path: &Path<'_>, errors: &mut Errors) {
    not_negative(part, &["nominalConcurrencyShares", "borrowingLimitPercent"], path, errors);
    range(part, "lendablePercent", 0, 100, path, errors);
}

/// What happens to who finds no seat.
pub(super) fn response(response: &Map, path: &Path<'_>, errors: &mut Errors) {
    one_of(response, "type", &["Queue", "Reject"], path, errors);
    let path = path.child("queuing");
    match (str_of(response, "type"), map_of(response, "queuing")) {
        ("Queue", Some(queuing)) => queues(queuing, &path, errors),
        ("Queue", None) => {
            errors.required(path, "must not be empty if limited.limitResponse.type is Queue")
        }
        (_, Some(_)) => {
            errors.forbidden(path, "must be nil if limited.limitResponse.type is not Queue")
        }
        _ => {}
    }
}

fn queues(queuing: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in ["queueLengthLimit", "queues", "handSize"] {
        if let Some(value) = int_of(queuing, key).filter(|value| *value <= 0) {
            errors.invalid(path.child(key), value, "must be positive");
        }
    }
    let queues = int_of(queuing, "queues").unwrap_or(64);
    let hand = int_of(queuing, "handSize").unwrap_or(8);
    if queues > QUEUES {
        errors.invalid(path.child("queues"), queues, "must not be greater than 10000000");
    } else if hand > queues {
        let detail = format!("should not be greater than queues ({queues})");
        errors.invalid(path.child("handSize"), hand, &detail);
    } else if hand > 0 {
        // The hands that there are: so many times so many less one, and so on.
        let bits: f64 = (0..hand.min(64)).map(|card| ((queues - card) as f64).log2()).sum();
        if bits > ENTROPY {
            let detail = format!(
                "required entropy bits of deckSize {queues} and handSize {hand} should not be greater than 60"
            );
            errors.invalid(path.child("handSize"), hand, &detail);
        }
    }
}
