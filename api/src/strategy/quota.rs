//! ResourceQuotas and LimitRanges.

use super::json::{
    each_mut, fill_nil, is_empty, map_mut, map_of, maps_of, restore, str_of, strs_of,
};
use super::{Map, Strategy};
use crate::validation::format::qualified_name;
use crate::validation::rules::{immutable, quantity, texts};
use crate::validation::{Errors, Path};
use std::collections::BTreeSet;
use windlass_core::meta::Quantity;

/// The rules of ResourceQuotas.
pub(super) struct ResourceQuota;

/// The rules of LimitRanges.
pub(super) struct LimitRange;

const SPEC: Path<'static> = Path::new("spec");
const SCOPES: [&str; 7] = [
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];

// === impl ResourceQuota ===

impl Strategy for ResourceQuota {
    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let Some(spec) = map_of(object, "spec") else { return errors };
        let list = SPEC.child("hard");
        for (name, value) in map_of(spec, "hard").into_iter().flatten() {
            texts(list.key(name), name, &qualified_name(name), &mut errors);
            if quantity(value).is_some_and(|amount| amount < Quantity::default()) {
                errors.invalid(list.key(name), value.clone(), "must be greater than or equal to 0");
            }
        }
        let list = SPEC.child("scopes");
        for (_, scope) in strs_of(spec, "scopes") {
            if !SCOPES.contains(&scope) {
                errors.invalid(list, scope, "unsupported scope");
            }
        }
        errors
    }

    fn validate_update(&self, new: &Map, old: &Map) -> Errors {
        let mut errors = Errors::default();
        let empty = Map::new();
        let (new, old) =
            (map_of(new, "spec").unwrap_or(&empty), map_of(old, "spec").unwrap_or(&empty));
        immutable(new, old, "scopes", &SPEC, &mut errors);
        errors
    }
}

// === impl LimitRange ===

impl Strategy for LimitRange {
    fn default(&self, object: &mut Map) {
        for item in each_mut(map_mut(object, "spec"), "limits") {
            if str_of(item, "type") != "Container" {
                continue;
            }
            default_from(item, "default", "max");
            default_from(item, "defaultRequest", "default");
            default_from(item, "defaultRequest", "min");
        }
    }

    fn validate(&self, object: &Map) -> Errors {
        let mut errors = Errors::default();
        let Some(spec) = map_of(object, "spec") else { return errors };
        let list = SPEC.child("limits");
        let mut types = BTreeSet::new();
        for (at, item) in maps_of(spec, "limits") {
            let path = list.index(at);
            let kind = str_of(item, "type");
            texts(path.child("type"), kind, &qualified_name(kind), &mut errors);
            if !types.insert(kind) {
                errors.duplicate(path.child("type"), kind);
            }
            if kind == "Pod" {
                for key in ["default", "defaultRequest"] {
                    if !is_empty(item, key) {
                        let detail = "may not be specified when `type` is 'Pod'";
                        errors.forbidden(path.child(key), detail);
                    }
                }
            }
            ordered(item, &path, &mut errors);
        }
        errors
    }
}

fn default_from(item: &mut Map, key: &str, source: &str) {
    let Some(from) = map_of(item, source).cloned() else { return };
    if from.is_empty() {
        return;
    }
    let to = map_mut(item, key);
    for name in from.keys() {
        if !to.contains_key(name) {
            restore(to, &from, name);
        }
    }
    fill_nil(item, key, Map::new());
}

/// The minimum is not above the default request, nor that above the default, nor that above the maximum.
fn ordered(item: &Map, path: &Path<'_>, errors: &mut Errors) {
    const ORDER: [(&str, &str); 4] = [
        ("min", "min"),
        ("defaultRequest", "default request"),
        ("default", "default"),
        ("max", "max"),
    ];
    let value = |key: &str, name: &str| map_of(item, key)?.get(name).cloned();
    for (low, (low_key, low_text)) in ORDER.iter().enumerate() {
        for (name, small) in map_of(item, low_key).into_iter().flatten() {
            for (high_key, high_text) in &ORDER[low + 1..] {
                let large = value(high_key, name);
                let (Some(a), Some(b)) = (quantity(small), large.as_ref().and_then(quantity))
                else {
                    continue;
                };
                if a > b {
                    let text =
                        |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                    let detail = format!(
                        "{low_text} value {} is greater than {high_text} value {}",
                        text(small),
                        large.as_ref().map(text).unwrap_or_default()
                    );
                    errors.invalid(path.child(low_key).key(name), small.clone(), &detail);
                }
            }
        }
    }
}
