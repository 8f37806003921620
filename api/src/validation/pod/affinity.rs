//! Where a pod may run.

use super::super::format::{label_value, qualified_name};
use super::super::rules::{label_selector, none_or, one_of, range, texts};
use super::super::{Errors, Path};
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_empty, is_nil, list_of, map_at, map_of, maps_of, str_of};
use std::collections::BTreeSet;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const OPERATORS: [&str; 6] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

pub(super) fn validate(spec: &Map, path: &Path<'_>, errors: &mut Errors) {
    let Some(affinity) = map_of(spec, "affinity") else { return };
    let path = path.child("affinity");
    if let Some(node) = map_of(affinity, "nodeAffinity") {
        node_affinity(node, &path.child("nodeAffinity"), errors);
    }
    for key in ["podAffinity", "podAntiAffinity"] {
        let Some(pod) = map_of(affinity, key) else { continue };
        let path = path.child(key);
        for (at, term) in maps_of(pod, REQUIRED) {
            pod_term(term, &path.child(REQUIRED).index(at), errors);
        }
        for (at, weighted) in maps_of(pod, PREFERRED) {
            let list = path.child(PREFERRED);
            let path = list.index(at);
            range(weighted, "weight", 1, 100, &path, errors);
            if let Some(term) = map_of(weighted, "podAffinityTerm") {
                pod_term(term, &path.child("podAffinityTerm"), errors);
            }
        }
    }
}

fn node_affinity(node: &Map, path: &Path<'_>, errors: &mut Errors) {
    if let Some(required) = map_of(node, REQUIRED) {
        let path = path.child(REQUIRED);
        if list_of(required, "nodeSelectorTerms").is_empty() {
            let detail = "must have at least one node selector term";
            errors.required(path.child("nodeSelectorTerms"), detail);
        }
        let list = path.child("nodeSelectorTerms");
        for (at, term) in maps_of(required, "nodeSelectorTerms") {
            node_term(term, &list.index(at), errors);
        }
    }
    let list = path.child(PREFERRED);
    for (at, weighted) in maps_of(node, PREFERRED) {
        let path = list.index(at);
        range(weighted, "weight", 1, 100, &path, errors);
        if let Some(term) = map_of(weighted, "preference") {
            node_term(term, &path.child("preference"), errors);
        }
    }
}

fn node_term(term: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in ["matchExpressions", "matchFields"] {
        let list = path.child(key);
        for (at, requirement) in maps_of(term, key) {
            let path = list.index(at);
            let values = list_of(requirement, "values").len();
            match str_of(requirement, "operator") {
                "In" | "NotIn" if values == 0 => {
                    let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                    errors.required(path.child("values"), detail);
                }
                "Exists" | "DoesNotExist" if values > 0 => {
                    let detail =
                        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                    errors.forbidden(path.child("values"), detail);
                }
                "Gt" | "Lt" if values != 1 => {
                    let detail = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                    errors.required(path.child("values"), detail);
                }
                operator if !OPERATORS.contains(&operator) => {
                    errors.invalid(
                        path.child("operator"),
                        operator,
                        "not a valid selector operator",
                    );
                }
                _ => {}
            }
            let name = str_of(requirement, "key");
            if key == "matchExpressions" {
                texts(path.child("key"), name, &qualified_name(name), errors);
            } else if name != "metadata.name" {
                errors.invalid(path.child("key"), name, "not a valid field selector key");
            }
        }
    }
}

fn pod_term(term: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in ["labelSelector", "namespaceSelector"] {
        if let Some(selector) = map_of(term, key) {
            label_selector(selector, &path.child(key), errors);
        }
    }
    match str_of(term, "topologyKey") {
        "" => errors.required(path.child("topologyKey"), "can not be empty"),
        key => texts(path.child("topologyKey"), key, &qualified_name(key), errors),
    }
}

pub(super) fn tolerations(spec: &Map, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("tolerations");
    for (at, toleration) in maps_of(spec, "tolerations") {
        let path = list.index(at);
        let (key, operator) = (str_of(toleration, "key"), str_of(toleration, "operator"));
        if key.is_empty() {
            if operator != "Exists" {
                let detail = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
                errors.invalid(path.child("operator"), operator, detail);
            }
        } else {
            texts(path.child("key"), key, &qualified_name(key), errors);
        }
        let value = str_of(toleration, "value");
        match operator {
            "" | "Equal" => texts(path.child("operator"), value, &label_value(value), errors),
            "Exists" if !value.is_empty() => {
                let detail = "value must be empty when `operator` is 'Exists'";
                errors.invalid(path.child("operator"), operator, detail);
            }
            "Exists" | "Lt" | "Gt" => {}
            other => errors.not_supported(path.child("operator"), other, &["Equal", "Exists"]),
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        none_or(toleration, "effect", &effects, &path, errors);
        if !is_nil(toleration, "tolerationSeconds") && str_of(toleration, "effect") != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.invalid(path.child("effect"), str_of(toleration, "effect"), detail);
        }
    }
}

pub(super) fn spread(spec: &Map, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("topologySpreadConstraints");
    let mut seen = BTreeSet::new();
    for (at, constraint) in maps_of(spec, "topologySpreadConstraints") {
        let path = list.index(at);
        if let Some(skew) = int_of(constraint, "maxSkew").filter(|skew| *skew <= 0) {
            errors.invalid(path.child("maxSkew"), skew, "must be greater than zero");
        }
        let key = str_of(constraint, "topologyKey");
        if key.is_empty() {
            errors.required(path.child("topologyKey"), "can not be empty");
        }
        one_of(
            constraint,
            "whenUnsatisfiable",
            &["DoNotSchedule", "ScheduleAnyway"],
            &path,
            errors,
        );
        let when = str_of(constraint, "whenUnsatisfiable");
        if !seen.insert((key, when)) {
            let text = format!("{{{key}, {when}}}");
            errors.duplicate(path.child("{topologyKey, whenUnsatisfiable}"), text);
        }
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            none_or(constraint, policy, &["Honor", "Ignore"], &path, errors);
        }
        if let Some(selector) = map_at(constraint, &["labelSelector"]) {
            label_selector(selector, &path.child("labelSelector"), errors);
        }
        if int_of(constraint, "minDomains").is_some() && when != "DoNotSchedule" {
            let detail = "can only use minDomains if whenUnsatisfiable=DoNotSchedule";
            errors.invalid(path.child("minDomains"), int_of(constraint, "minDomains"), detail);
        }
        if is_empty(constraint, "labelSelector") && !is_empty(constraint, "matchLabelKeys") {
            errors.forbidden(
                path.child("matchLabelKeys"),
                "must not be specified when labelSelector is not set",
            );
        }
    }
}
