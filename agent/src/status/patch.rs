//! From one status to the next, as a patch that leaves alone what others write.

use super::conditions::PASSING;
use serde_json::{Map, Value, json};
use windlass_core::apis::core::v1::PodStatus;

/// The fields of a pod's status that the agent writes. Conditions are merged by their type.
const OURS: [&str; 12] = [
    "conditions",
    "containerStatuses",
    "ephemeralContainerStatuses",
    "hostIP",
    "hostIPs",
    "initContainerStatuses",
    "message",
    "phase",
    "podIP",
    "podIPs",
    "qosClass",
    "reason",
];

/// The strategic merge patch that makes `new` of what was written last, or of what the API showed first. `None`:
/// nothing differs. The uid keeps it from another pod of the same name.
pub(crate) fn patch(uid: &str, old: Option<&PodStatus>, new: &PodStatus) -> Option<Value> {
    let (old, new) = (fields(old), fields(Some(new)));
    let mut status = Map::new();
    for field in OURS.iter().chain(&["startTime"]) {
        let (before, after) = (old.get(*field), new.get(*field));
        if before == after || only_others(field, before, after) && passed(before, after).is_empty()
        {
            continue;
        }
        let value = match (*field, after) {
            ("conditions", Some(Value::Array(new))) => {
                let mut list = without_leftovers(before, new);
                list.extend(passed(before, after));
                Value::Array(list)
            }
            ("podIPs", Some(Value::Array(ips))) => replace_list(ips, before.is_some()),
            (_, Some(after)) => after.clone(),
            (_, None) => Value::Null,
        };
        status.insert((*field).into(), value);
    }
    if status.is_empty() {
        return None;
    }
    Some(json!({"metadata": {"uid": uid}, "status": status}))
}

fn fields(status: Option<&PodStatus>) -> Map<String, Value> {
    match status.map(serde_json::to_value) {
        Some(Ok(Value::Object(map))) => map,
        _ => Map::new(),
    }
}

/// Conditions of others may stand between ours.
fn only_others(field: &str, before: Option<&Value>, after: Option<&Value>) -> bool {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    field == "conditions" && list(after).iter().all(|condition| list(before).contains(condition))
}

/// Takes away the conditions that hold no longer and are not shown then.
fn passed(before: Option<&Value>, after: Option<&Value>) -> Vec<Value> {
    let has = |list: Option<&Value>, kind: &str| {
        list.and_then(Value::as_array).is_some_and(|list| list.iter().any(|c| c["type"] == kind))
    };
    let gone = PASSING.iter().filter(|kind| has(before, kind) && !has(after, kind));
    gone.map(|kind| json!({"type": kind, "$patch": "delete"})).collect()
}

/// Conditions are merged by type, field by field: what a condition says no longer must be taken from it.
fn without_leftovers(before: Option<&Value>, new: &[Value]) -> Vec<Value> {
    let before = before.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let cleared = |condition: &Value| {
        let mut condition = condition.clone();
        let old = before.iter().find(|old| old["type"] == condition["type"]);
        for field in ["reason", "message"] {
            if condition[field].is_null() && old.is_some_and(|old| !old[field].is_null()) {
                condition[field] = Value::Null;
            } else if condition[field].is_null() {
                condition.as_object_mut().map(|fields| fields.remove(field));
            }
        }
        condition
    };
    new.iter().map(cleared).collect()
}

/// A list that a strategic merge would mix with the old one.
fn replace_list(items: &[Value], had: bool) -> Value {
    let mut list = Vec::from(items);
    if had {
        list.insert(0, json!({"$patch": "replace"}));
    }
    Value::Array(list)
}
