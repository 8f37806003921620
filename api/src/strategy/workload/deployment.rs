//! Deployments.

use super::{SPEC, spec_of, validate_pods, validate_selector};
use crate::strategy::json::{
    existing_mut, fill, fill_nil, int_of, is_nil, map_mut, map_of, str_of,
};
use crate::strategy::pod::default_template;
use crate::strategy::{Map, Strategy};
use crate::validation::Errors;
use crate::validation::rules::{immutable, int_or_percent, not_negative, one_of};
use serde_json::Value;

/// The rules of Deployments.
pub(in crate::strategy) struct Deployment;

impl Strategy for Deployment {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        fill_nil(spec, "replicas", 1);
        let strategy = map_mut(spec, "strategy");
        fill(strategy, "type", "RollingUpdate");
        if str_of(strategy, "type") == "RollingUpdate" {
            let rolling = map_mut(strategy, "rollingUpdate");
            fill_nil(rolling, "maxUnavailable", "25%");
            fill_nil(rolling, "maxSurge", "25%");
        }
        fill_nil(spec, "revisionHistoryLimit", 10);
        fill_nil(spec, "progressDeadlineSeconds", 600);
        if let Some(template) = existing_mut(spec, "template") {
            default_template(template);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let spec = spec_of(object);
        let numbers =
            ["replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"];
        not_negative(&spec, &numbers, &SPEC, &mut errors);
        validate_selector(&spec, "deployment", &mut errors);
        validate_pods(&spec, &mut errors);
        strategy(&spec, &mut errors);
        let ready = int_of(&spec, "minReadySeconds").unwrap_or(0);
        if let Some(deadline) = int_of(&spec, "progressDeadlineSeconds").filter(|d| *d <= ready) {
            let detail = "must be greater than minReadySeconds";
            errors.invalid(SPEC.child("progressDeadlineSeconds"), deadline, detail);
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        immutable(&spec_of(new), &spec_of(old), "selector", &SPEC, &mut errors);
        errors
    }
}

fn strategy(spec: &Map, errors: &mut Errors) {
    let Some(strategy) = map_of(spec, "strategy") else { return };
    let path = SPEC.child("strategy");
    one_of(strategy, "type", &["Recreate", "RollingUpdate"], &path, errors);
    let at = path.child("rollingUpdate");
    match (str_of(strategy, "type"), map_of(strategy, "rollingUpdate")) {
        ("Recreate", Some(_)) if !is_nil(strategy, "rollingUpdate") => {
            errors.forbidden(at, "may not be specified when strategy `type` is 'Recreate'");
        }
        ("RollingUpdate", Some(rolling)) => {
            for key in ["maxUnavailable", "maxSurge"] {
                if let Some(value) = rolling.get(key) {
                    int_or_percent(value, &at.child(key), errors);
                }
            }
            let zero = |key| match rolling.get(key) {
                Some(Value::String(text)) => text.trim_end_matches('%') == "0",
                Some(value) => value.as_i64() == Some(0),
                None => true,
            };
            if zero("maxUnavailable") && zero("maxSurge") {
                let value = rolling.get("maxUnavailable").cloned().unwrap_or(Value::Null);
                errors.invalid(
                    at.child("maxUnavailable"),
                    value,
                    "may not be 0 when `maxSurge` is 0",
                );
            }
        }
        _ => {}
    }
}
