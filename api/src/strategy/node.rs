//! Nodes and RuntimeClasses.

use super::json::{is_empty, list_of, map_mut, map_of, maps_of, str_of, strs_of};
use super::{Map, Strategy};
use crate::validation::format::{cidr, dns1123_label, label_value, qualified_name};
use crate::validation::rules::{immutable, one_of, required, texts};
use crate::validation::{Errors, Path};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeSet;
use windlass_core::Object;

/// The rules of nodes.
pub(super) struct Node;

/// The rules of RuntimeClasses.
pub(super) struct RuntimeClass;

const SPEC: Path<'static> = Path::new("spec");
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

// === impl Node ===

impl Strategy for Node {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        if let Some(first) = list_of(spec, "podCIDRs").first().cloned() {
            spec.insert("podCIDR".into(), first);
        } else if !is_empty(spec, "podCIDR") {
            let list = json!([spec["podCIDR"]]);
            spec.insert("podCIDRs".into(), list);
        }
        if let Some(status) = super::json::existing_mut(object, "status")
            && is_empty(status, "allocatable")
            && let Some(capacity) = status.get("capacity").cloned()
        {
            status.insert("allocatable".into(), capacity);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let Some(spec) = map_of(object, "spec") else { return errors };
        let list = SPEC.child("taints");
        let mut seen = BTreeSet::new();
        for (at, taint) in maps_of(spec, "taints") {
            let path = list.index(at);
            let (key, value) = (str_of(taint, "key"), str_of(taint, "value"));
            texts(path.child("key"), key, &qualified_name(key), &mut errors);
            texts(path.child("value"), value, &label_value(value), &mut errors);
            one_of(taint, "effect", &EFFECTS, &path, &mut errors);
            if !seen.insert((key, str_of(taint, "effect"))) {
                errors.duplicate(path, serde_json::Value::Object(taint.clone()));
            }
        }
        let list = SPEC.child("podCIDRs");
        for (at, range) in strs_of(spec, "podCIDRs") {
            texts(list.index(at), range, &cidr(range), &mut errors);
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let (new, old) =
            (map_of(new, "spec").unwrap_or(&empty), map_of(old, "spec").unwrap_or(&empty));
        for key in ["podCIDR", "podCIDRs", "providerID"] {
            if !is_empty(old, key) && new.get(key) != old.get(key) {
                let detail = "node updates may not change podCIDR except from \"\" to valid";
                let detail = match key {
                    "providerID" => {
                        "node updates may not change providerID except from \"\" to valid"
                    }
                    _ => detail,
                };
                errors.forbidden(SPEC.child(key), detail);
            }
        }
        errors
    }

    fn fields(&self) -> &'static [&'static str] {
        &["spec.unschedulable"]
    }

    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        let value = super::fields::value(object, self.fields(), name)?;
        Some(if value.is_empty() { "false".into() } else { value })
    }
}

// === impl RuntimeClass ===

impl Strategy for RuntimeClass {
    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        match str_of(object, "handler") {
            "" => required(object, "handler", &Path::ROOT, &mut errors),
            handler => texts("handler", handler, &dns1123_label(handler), &mut errors),
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        immutable(new, old, "handler", &Path::ROOT, &mut errors);
        errors
    }
}
