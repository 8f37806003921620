//! A part of an object laid over the whole, without owners: what mutating policies do.

use super::merge;
use crate::managed_fields::{Custom, Shape, schema_of};
use crate::schema::decode;
use crate::strategy::Map;
use serde_json::Value;
use windlass_core::scheme::GroupVersionKind;

/// Lays a part of an object over the object, as an apply would. What is applied as a whole can't be part of it: the
/// rest of it would be lost.
///
/// # Errors
/// What is wrong with the part.
pub(crate) fn lay_over(
    object: &Map,
    part: &Map,
    gvk: &GroupVersionKind,
    custom: Option<Custom<'_>>,
) -> Result<Map, String> {
    let untyped = |why: &dyn std::fmt::Display| {
        format!("failed to convert patch object to typed object: {why}")
    };
    let bytes = Value::Object(part.clone()).to_string();
    let decoded = decode::partial(gvk, bytes.as_bytes()).map_err(|error| untyped(&error))?;
    if let Some(first) = decoded.strict.first() {
        return Err(untyped(first));
    }
    let Value::Object(part) = decoded.value else { return Err(untyped(&"it is no object")) };
    let shape = Shape::of_kind(gvk, schema_of(custom));
    let mut atomic = Vec::new();
    for (name, value) in &part {
        atomics(&format!(".{name}"), value, shape.child(name), &mut atomic);
    }
    if !atomic.is_empty() {
        let all = atomic.join(", ");
        return Err(format!(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {all}"
        ));
    }
    Ok(merge::merge(object, &part, shape))
}

/// Finds what is applied as a whole.
fn atomics(path: &str, value: &Value, shape: Shape<'_>, found: &mut Vec<String>) {
    match (value, shape) {
        (Value::Object(_) | Value::Array(_), Shape::Leaf) => found.push(path.to_owned()),
        (Value::Object(map), _) => {
            for (name, value) in map {
                atomics(&format!("{path}.{name}"), value, shape.child(name), found);
            }
        }
        (Value::Array(items), _) if shape.is_list() => {
            for (at, item) in items.iter().enumerate() {
                atomics(&format!("{path}[{at}]"), item, shape.child(""), found);
            }
        }
        (Value::Array(_), Shape::Custom(_)) => found.push(path.to_owned()),
        _ => {}
    }
}
