//! Requests and limits.

use super::super::format::qualified_name;
use super::super::rules::{quantity, texts};
use super::super::{Errors, Path};
use crate::strategy::Map;
use crate::strategy::json::map_of;
use serde_json::Value;
use windlass_core::meta::Quantity;

const STANDARD: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What is wrong with the resources of a container.
pub(crate) fn validate_resources(resources: &Map, path: &Path<'_>, errors: &mut Errors) {
    let limits = map_of(resources, "limits");
    for (name, value) in limits.into_iter().flatten() {
        let list = path.child("limits");
        amount(name, value, &list.key(name), &list, errors);
    }
    for (name, value) in map_of(resources, "requests").into_iter().flatten() {
        let list = path.child("requests");
        let at = list.key(name);
        amount(name, value, &at, &list, errors);
        let limit = limits.and_then(|limits| limits.get(name));
        match (limit.and_then(quantity), quantity(value)) {
            (Some(most), Some(asked)) if asked != most && !may_overcommit(name) => {
                errors.invalid(list, shown(value), &format!("must be equal to {name} limit"));
            }
            (Some(most), Some(asked)) if asked > most => {
                let most = limit.map(shown).unwrap_or_default();
                let detail = format!("must be less than or equal to {name} limit of {most}");
                errors.invalid(list, shown(value), &detail);
            }
            (None, _) if !may_overcommit(name) => {
                errors.required(list, "Limit must be set for non overcommitable resources");
            }
            _ => {}
        }
    }
}

fn amount(name: &str, value: &Value, path: &Path<'_>, list: &Path<'_>, errors: &mut Errors) {
    texts(list, name, &qualified_name(name), errors);
    if !name.contains('/') && !STANDARD.contains(&name) && !name.starts_with("hugepages-") {
        errors.invalid(list, name, "must be a standard resource for containers");
    }
    let Some(amount) = quantity(value) else { return };
    if amount < Quantity::default() {
        errors.invalid(path, shown(value), "must be greater than or equal to 0");
    }
    if name.contains('/') && amount.milli() % 1000 != 0 {
        errors.invalid(path, shown(value), "must be an integer");
    }
}

/// Devices and huge pages can't be lent to two at once.
fn may_overcommit(name: &str) -> bool {
    !name.contains('/') && !name.starts_with("hugepages-")
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
