//! Merge patch (RFC 7386).

use super::limits::read_object;
use crate::strategy::Map;
use serde_json::Value;
use windlass_core::meta::Status;

/// Applies a merge patch: objects merge, null removes, everything else replaces.
///
/// # Errors
/// `BadRequest` when it is no JSON object.
pub fn merge(current: &Map, patch: &[u8]) -> Result<Map, Status> {
    let mut result = current.clone();
    merge_into(&mut result, read_object(patch)?);
    Ok(result)
}

fn merge_into(target: &mut Map, patch: Map) {
    for (key, value) in patch {
        match value {
            Value::Null => _ = target.shift_remove(&key),
            Value::Object(part) => {
                let slot = target.entry(key).or_insert(Value::Null);
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Some(slot) = slot.as_object_mut() {
                    merge_into(slot, part);
                }
            }
            other => _ = target.insert(key, other),
        }
    }
}
