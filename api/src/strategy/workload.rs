//! Kinds that make pods from a template.

mod daemon_set;
mod deployment;
mod replicas;
mod stateful_set;

pub(super) use daemon_set::DaemonSet;
pub(super) use deployment::Deployment;
pub(super) use replicas::{ReplicaSet, ReplicationController};
pub(super) use stateful_set::StatefulSet;

use super::json::{existing_mut, int_of, is_empty, map_at, map_of, str_at};
use super::pod::default_template;
use super::{Map, Strategy};
use crate::validation::pod::validate_template;
use crate::validation::rules::{immutable, label_selector, selects};
use crate::validation::{Errors, Path};
use serde_json::Value;

pub(super) const SPEC: Path<'static> = Path::new("spec");

/// The rules of PodTemplates.
pub(super) struct PodTemplate;

/// The rules of ControllerRevisions.
pub(super) struct ControllerRevision;

// === impl PodTemplate ===

impl Strategy for PodTemplate {
    fn default(&self, object: &mut Map) {
        if let Some(template) = existing_mut(object, "template") {
            default_template(template);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        if let Some(template) = map_of(object, "template") {
            validate_template(template, &Path::new("template"), &mut errors);
        }
        errors
    }
}

// === impl ControllerRevision ===

impl Strategy for ControllerRevision {
    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        if int_of(object, "revision").is_some_and(|revision| revision < 0) {
            let detail = "must be greater than or equal to 0";
            errors.invalid("revision", int_of(object, "revision"), detail);
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        if new.get("data") != old.get("data") {
            immutable(new, old, "data", &Path::ROOT, &mut errors);
        }
        errors
    }
}

/// The spec of a workload.
pub(super) fn spec_of(object: &Map) -> Map {
    map_of(object, "spec").cloned().unwrap_or_default()
}

/// The selector of a workload is there, and selects its template.
pub(super) fn validate_selector(spec: &Map, kind: &str, errors: &mut Errors) {
    let path = SPEC.child("selector");
    let Some(selector) = map_of(spec, "selector") else {
        return errors.required(path, "");
    };
    label_selector(selector, &path, errors);
    if is_empty(selector, "matchLabels") && is_empty(selector, "matchExpressions") {
        let value = Value::Object(selector.clone());
        errors.invalid(path, value, &format!("empty selector is invalid for {kind}"));
        return;
    }
    let labels = map_at(spec, &["template", "metadata", "labels"]);
    if !selects(selector, labels) {
        let labels = labels.cloned().map_or(Value::Null, Value::Object);
        let at = SPEC.child("template");
        let detail = "`selector` does not match template `labels`";
        errors.invalid(at.child("metadata").child("labels"), labels, detail);
    }
}

/// The template of a workload that keeps its pods running.
pub(super) fn validate_pods(spec: &Map, errors: &mut Errors) {
    let path = SPEC.child("template");
    let empty = Map::new();
    validate_template(map_of(spec, "template").unwrap_or(&empty), &path, errors);
    let policy = str_at(spec, &["template", "spec", "restartPolicy"]);
    if ["OnFailure", "Never"].contains(&policy) {
        errors.not_supported(path.child("spec").child("restartPolicy"), policy, &["Always"]);
    }
    if int_of(map_at(spec, &["template", "spec"]).unwrap_or(&empty), "activeDeadlineSeconds")
        .is_some()
    {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        errors.forbidden(path.child("spec").child("activeDeadlineSeconds"), detail);
    }
}
