//! ReplicaSets and ReplicationControllers.

use super::{SPEC, spec_of, validate_pods, validate_selector};
use crate::strategy::json::{existing_mut, fill, fill_nil, is_empty, map_at, map_mut, map_of};
use crate::strategy::pod::default_template;
use crate::strategy::{Map, Strategy};
use crate::validation::Errors;
use crate::validation::meta::validate_labels;
use crate::validation::rules::{immutable, not_negative};
use serde_json::Value;
use std::borrow::Cow;
use windlass_core::Object;

/// The rules of ReplicaSets.
pub(in crate::strategy) struct ReplicaSet;

/// The rules of ReplicationControllers.
pub(in crate::strategy) struct ReplicationController;

const FIELDS: [&str; 1] = ["status.replicas"];

// === impl ReplicaSet ===

impl Strategy for ReplicaSet {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        fill_nil(spec, "replicas", 1);
        if let Some(template) = existing_mut(spec, "template") {
            default_template(template);
        }
    }

    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), serde_json::json!({"replicas": 0}));
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let spec = spec_of(object);
        not_negative(&spec, &["replicas", "minReadySeconds"], &SPEC, &mut errors);
        validate_selector(&spec, "deployment", &mut errors);
        validate_pods(&spec, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        immutable(&spec_of(new), &spec_of(old), "selector", &SPEC, &mut errors);
        errors
    }

    fn fields(&self) -> &'static [&'static str] {
        &FIELDS
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        replicas(object, name)
    }
}

// === impl ReplicationController ===

impl Strategy for ReplicationController {
    fn default(&self, object: &mut Map) {
        let labels = map_at(object, &["spec", "template", "metadata", "labels"]).cloned();
        if let Some(labels) = labels.filter(|labels| !labels.is_empty()) {
            fill(map_mut(object, "spec"), "selector", labels.clone());
            fill(map_mut(object, "metadata"), "labels", labels);
        }
        let spec = map_mut(object, "spec");
        fill_nil(spec, "replicas", 1);
        if let Some(template) = existing_mut(spec, "template") {
            default_template(template);
        }
    }

    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), serde_json::json!({"replicas": 0}));
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let spec = spec_of(object);
        not_negative(&spec, &["replicas", "minReadySeconds"], &SPEC, &mut errors);
        let path = SPEC.child("selector");
        if is_empty(&spec, "selector") {
            errors.required(path, "");
        }
        validate_labels(map_of(&spec, "selector"), &path, &mut errors);
        if is_empty(&spec, "template") {
            errors.required(SPEC.child("template"), "");
            return errors;
        }
        let labels = map_at(&spec, &["template", "metadata", "labels"]);
        let wanted = map_of(&spec, "selector");
        let fits = |(key, value): (&String, &Value)| labels.and_then(|l| l.get(key)) == Some(value);
        if !wanted.into_iter().flatten().all(fits) {
            let value = labels.cloned().map_or(Value::Null, Value::Object);
            let at = SPEC.child("template");
            let detail = "`selector` does not match template `labels`";
            errors.invalid(at.child("metadata").child("labels"), value, detail);
        }
        validate_pods(&spec, &mut errors);
        errors
    }

    fn fields(&self) -> &'static [&'static str] {
        &FIELDS
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        replicas(object, name)
    }
}

fn replicas(object: &Object, name: &str) -> Option<Cow<'static, str>> {
    let value = crate::strategy::fields::value(object, &FIELDS, name)?;
    Some(if value.is_empty() { "0".into() } else { value })
}
