//! Equality and order of values.

use crate::cel::shape::Elements;
use crate::cel::value::{List, Map, Value};
use std::cmp::Ordering;

/// Whether two values are the same. Numbers are compared by what they amount to; values of other types that
/// differ are not equal.
pub(in crate::cel) fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => equal_lists(a, b),
        (Value::Map(a), Value::Map(b)) => equal_maps(a, b),
        (Value::Optional(a), Value::Optional(b)) => match (a, b) {
            (Some(a), Some(b)) => equal(a, b),
            (a, b) => a.is_none() && b.is_none(),
        },
        (Value::Foreign(a), Value::Foreign(b)) => a == b,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::Null, Value::Null) => true,
        _ => compare(a, b) == Some(Ordering::Equal),
    }
}

/// The order of two values that have one.
pub(super) fn compare(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Value::Double(a), other) => with_double(*a, other),
        (other, Value::Double(b)) => with_double(*b, other).map(Ordering::reverse),
        (Value::String(a), Value::String(b)) => Some((**a).cmp(&**b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "as the specification compares them")]
fn with_double(a: f64, b: &Value<'_>) -> Option<Ordering> {
    match b {
        Value::Int(b) => a.partial_cmp(&(*b as f64)),
        Value::Uint(b) => a.partial_cmp(&(*b as f64)),
        _ => None,
    }
}

/// The order does not count in sets and in lists with keys.
fn equal_lists(a: &List<'_>, b: &List<'_>) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.elements() {
        Elements::Atomic => a.iter().zip(b.iter()).all(|(a, b)| equal(&a, &b)),
        Elements::Set | Elements::Map(_) => {
            let mut left: Vec<_> = b.iter().collect();
            a.iter().all(|a| match left.iter().position(|b| equal(&a, b)) {
                Some(at) => {
                    left.swap_remove(at);
                    true
                }
                None => false,
            })
        }
    }
}

fn equal_maps(a: &Map<'_>, b: &Map<'_>) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Map::Json(a_map, a_shape), Map::Json(b_map, b_shape)) = (a, b) {
        return a_map.iter().all(|(key, a)| {
            b_map.get(key).is_some_and(|b| {
                let a = Value::from_json(a, a_shape.and_then(|shape| shape.field(key)));
                let b = Value::from_json(b, b_shape.and_then(|shape| shape.field(key)));
                equal(&a, &b)
            })
        });
    }
    let mut entries = a.iter();
    entries.all(|(key, a)| b.iter().any(|(other, b)| equal(&key, &other) && equal(&a, &b)))
}
