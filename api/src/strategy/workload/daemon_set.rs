//! DaemonSets.

use super::{SPEC, spec_of, validate_pods, validate_selector};
use crate::strategy::json::{existing_mut, fill, fill_nil, map_mut, map_of, str_of};
use crate::strategy::pod::default_template;
use crate::strategy::{Map, Strategy};
use crate::validation::Errors;
use crate::validation::rules::{immutable, int_or_percent, not_negative, one_of};
use serde_json::json;

/// The rules of DaemonSets.
pub(in crate::strategy) struct DaemonSet;

impl Strategy for DaemonSet {
    fn prepare_for_create(&self, object: &mut Map) {
        object.insert("status".into(), json!({
            "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0,
        }));
    }

    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        let strategy = map_mut(spec, "updateStrategy");
        fill(strategy, "type", "RollingUpdate");
        if str_of(strategy, "type") == "RollingUpdate" {
            let rolling = map_mut(strategy, "rollingUpdate");
            fill_nil(rolling, "maxUnavailable", 1);
            fill_nil(rolling, "maxSurge", 0);
        }
        fill_nil(spec, "revisionHistoryLimit", 10);
        if let Some(template) = existing_mut(spec, "template") {
            default_template(template);
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let spec = spec_of(object);
        validate_selector(&spec, "daemonset", &mut errors);
        validate_pods(&spec, &mut errors);
        not_negative(&spec, &["minReadySeconds", "revisionHistoryLimit"], &SPEC, &mut errors);
        let Some(strategy) = map_of(&spec, "updateStrategy") else { return errors };
        let path = SPEC.child("updateStrategy");
        one_of(strategy, "type", &["OnDelete", "RollingUpdate"], &path, &mut errors);
        for (key, value) in map_of(strategy, "rollingUpdate").into_iter().flatten() {
            int_or_percent(value, &path.child("rollingUpdate").child(key), &mut errors);
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        immutable(&spec_of(new), &spec_of(old), "selector", &SPEC, &mut errors);
        errors
    }
}
