//! The conditions of a definition.

use crate::registry::rfc3339;
use crate::strategy::Map;
use crate::strategy::json::{map_mut, map_of, maps_of, str_of};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) const NAMES_ACCEPTED: &str = "NamesAccepted";
pub(crate) const ESTABLISHED: &str = "Established";
pub(crate) const TERMINATING: &str = "Terminating";
pub(crate) const NON_STRUCTURAL: &str = "NonStructuralSchema";
pub(crate) const API_APPROVED: &str = "KubernetesAPIApprovalPolicyConformant";

/// One thing that is so or is not so of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition<'a> {
    pub(crate) ty: &'a str,
    pub(crate) holds: bool,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
}

/// Whether a condition of a definition is true.
pub(crate) fn is_true(definition: &Map, ty: &str) -> bool {
    let status = map_of(definition, "status");
    let mut all = status.into_iter().flat_map(|status| maps_of(status, "conditions"));
    all.any(|(_, one)| str_of(one, "type") == ty && str_of(one, "status") == "True")
}

/// Writes a condition. The time changes only when the condition does.
pub(crate) fn set(definition: &mut Map, condition: &Condition<'_>, now: Timestamp) {
    let status = map_mut(definition, "status");
    let list = status.entry("conditions").or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let Value::Array(list) = list else { unreachable!("it was just made a list") };
    let word = if condition.holds { "True" } else { "False" };
    let known = list.iter_mut().find(|one| one["type"] == condition.ty);
    let changed = known.as_ref().is_none_or(|known| known["status"] != word);
    let time = match &known {
        Some(known) if !changed => known["lastTransitionTime"].clone(),
        _ => rfc3339(now).into(),
    };
    let written = json!({
        "type": condition.ty, "status": word, "lastTransitionTime": time,
        "reason": condition.reason, "message": condition.message,
    });
    match known {
        Some(known) => *known = written,
        None => list.push(written),
    }
}

/// Takes a condition away.
pub(crate) fn remove(definition: &mut Map, ty: &str) {
    let status = map_mut(definition, "status");
    if let Some(list) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        list.retain(|one| one["type"] != ty);
    }
}
