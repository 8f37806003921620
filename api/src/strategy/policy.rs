//! PodDisruptionBudgets and PriorityClasses.

use super::json::{fill_nil, int_of, is_nil, map_of, str_at, str_of};
use super::{Map, Strategy};
use crate::validation::rules::{immutable, int_or_percent, label_selector, none_or};
use crate::validation::{Errors, Path};
use serde_json::json;

/// The rules of PodDisruptionBudgets.
pub(super) struct DisruptionBudget;

/// The rules of PriorityClasses.
pub(super) struct PriorityClass;

const SPEC: Path<'static> = Path::new("spec");
/// Above this only the system's own classes may be.
const HIGHEST: i64 = 1_000_000_000;

// === impl DisruptionBudget ===

impl Strategy for DisruptionBudget {
    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), json!({
            "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
        }));
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        if !is_nil(spec, "minAvailable") && !is_nil(spec, "maxUnavailable") {
            let value = serde_json::Value::Object(spec.clone());
            errors.invalid(SPEC, value, "minAvailable and maxUnavailable cannot be both set");
        }
        for key in ["minAvailable", "maxUnavailable"] {
            if let Some(value) = spec.get(key).filter(|value| !value.is_null()) {
                int_or_percent(value, &SPEC.child(key), &mut errors);
            }
        }
        if let Some(selector) = map_of(spec, "selector") {
            label_selector(selector, &SPEC.child("selector"), &mut errors);
        }
        let policies = ["AlwaysAllow", "IfHealthyBudget"];
        none_or(spec, "unhealthyPodEvictionPolicy", &policies, &SPEC, &mut errors);
        errors
    }
}

// === impl PriorityClass ===

impl Strategy for PriorityClass {
    fn default(&self, object: &mut Map) {
        fill_nil(object, "preemptionPolicy", "PreemptLowerPriority");
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let name = str_at(object, &["metadata", "name"]);
        let value = int_of(object, "value").unwrap_or(0);
        let own =
            [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];
        if name.starts_with("system-") {
            if !own.contains(&(name, value)) {
                let detail = "priority class names with 'system-' prefix are reserved for system use only. error: ";
                let why = match own.iter().find(|(known, _)| *known == name) {
                    Some((_, wanted)) => {
                        format!("{detail}value of {name} PriorityClass must be {wanted}")
                    }
                    None => format!("{detail}{name} is not a known system priority class"),
                };
                errors.forbidden("metadata.name", &why);
            }
        } else if value > HIGHEST {
            errors.forbidden(
                "value",
                &format!("maximum allowed value of a user defined priority is {HIGHEST}"),
            );
        }
        let policies = ["Never", "PreemptLowerPriority"];
        none_or(object, "preemptionPolicy", &policies, &Path::ROOT, &mut errors);
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        if int_of(new, "value") != int_of(old, "value") {
            errors.forbidden("value", "may not be changed in an update.");
        }
        if str_of(new, "preemptionPolicy") != str_of(old, "preemptionPolicy") {
            immutable(new, old, "preemptionPolicy", &Path::ROOT, &mut errors);
        }
        errors
    }
}
