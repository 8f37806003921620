//! FlowSchemas and PriorityLevelConfigurations.

mod rules;

use super::json::{
    existing_mut, fill, fill_nil, fill_zero, int_of, map_mut, map_of, maps_of, str_at, str_of,
};
use super::{Map, Strategy};
use crate::validation::rules::{one_of, range};
use crate::validation::{Errors, Path};
use serde_json::json;
use windlass_core::scheme::{FLOWSCHEMAS, PRIORITYLEVELCONFIGURATIONS};

/// The rules of FlowSchemas.
pub(super) struct FlowSchema;

/// The rules of PriorityLevelConfigurations.
pub(super) struct PriorityLevel;

const SPEC: Path<'static> = Path::new("spec");

// === impl FlowSchema ===

impl Strategy for FlowSchema {
    fn default(&self, object: &mut Map) {
        fill_zero(map_mut(object, "spec"), "matchingPrecedence", 1000);
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        range(spec, "matchingPrecedence", 1, 10_000, &SPEC, &mut errors);
        let level = map_of(spec, "priorityLevelConfiguration").unwrap_or(&empty);
        if str_of(level, "name").is_empty() {
            let path = SPEC.child("priorityLevelConfiguration");
            errors.required(path.child("name"), "must reference a priority level");
        }
        if let Some(method) = map_of(spec, "distinguisherMethod") {
            let path = SPEC.child("distinguisherMethod");
            one_of(method, "type", &["ByNamespace", "ByUser"], &path, &mut errors);
        }
        let name = str_at(object, &["metadata", "name"]);
        if int_of(spec, "matchingPrecedence") == Some(1) && name != "exempt" {
            let detail = "only the schema named 'exempt' may have matchingPrecedence 1";
            errors.invalid(SPEC.child("matchingPrecedence"), 1, detail);
        }
        let list = SPEC.child("rules");
        for (at, policy) in maps_of(spec, "rules") {
            rules::policy(policy, &list.index(at), &mut errors);
        }
        rules::fixed(object, &FLOWSCHEMAS, &mut errors);
        errors
    }
}

// === impl PriorityLevel ===

impl Strategy for PriorityLevel {
    fn default(&self, object: &mut Map) {
        let spec = map_mut(object, "spec");
        if let Some(exempt) = existing_mut(spec, "exempt") {
            fill_nil(exempt, "nominalConcurrencyShares", 0);
            fill_nil(exempt, "lendablePercent", 0);
        }
        let Some(limited) = existing_mut(spec, "limited") else { return };
        fill_nil(limited, "nominalConcurrencyShares", 30);
        fill_nil(limited, "lendablePercent", 0);
        fill(limited, "limitResponse", json!({"type": "Reject"}));
        if let Some(response) = existing_mut(limited, "limitResponse")
            && let Some(queuing) = existing_mut(response, "queuing")
        {
            for (key, value) in [("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)] {
                fill_zero(queuing, key, value);
            }
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let spec = map_of(object, "spec").unwrap_or(&empty);
        one_of(spec, "type", &["Exempt", "Limited"], &SPEC, &mut errors);
        let limited = map_of(spec, "limited");
        match (str_of(spec, "type"), limited) {
            ("Exempt", Some(_)) => {
                errors.forbidden(SPEC.child("limited"), "must be nil if the type is not Limited");
            }
            ("Limited", None) => {
                errors.required(SPEC.child("limited"), "must not be empty when type is Limited");
            }
            _ => {}
        }
        for part in ["limited", "exempt"] {
            if let Some(part_of) = map_of(spec, part) {
                rules::shares(part_of, &SPEC.child(part), &mut errors);
            }
        }
        if let Some(response) = limited.and_then(|limited| map_of(limited, "limitResponse")) {
            let path = SPEC.child("limited");
            rules::response(response, &path.child("limitResponse"), &mut errors);
        }
        rules::fixed(object, &PRIORITYLEVELCONFIGURATIONS, &mut errors);
        errors
    }
}

#[cfg(test)]
mod tests;
