//! Equality and order of values.

use crate::cel::shape::{Elements, Shape};
use crate::cel::value::{List, Map, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

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
        Elements::Set | Elements::Map(_) => equal_unordered(a, b),
    }
}

/// Whether two lists of one length have the same elements, each as often.
fn equal_unordered(a: &List<'_>, b: &List<'_>) -> bool {
    let mut left: FxHashMap<u64, SmallVec<[Value<'_>; 1]>> = FxHashMap::default();
    let shape = a.item_shape();
    for item in b.iter() {
        left.entry(digest(&item, shape)).or_default().push(item);
    }
    a.iter().all(|item| {
        let Some(alike) = left.get_mut(&digest(&item, shape)) else { return false };
        let found = alike.iter().position(|other| equal(&item, other));
        found.map(|at| alike.swap_remove(at)).is_some()
    })
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
    let mut known: FxHashMap<u64, SmallVec<[(Value<'_>, Value<'_>); 1]>> = FxHashMap::default();
    for (key, value) in b.iter() {
        known.entry(digest(&key, None)).or_default().push((key, value));
    }
    a.iter().all(|(key, value)| {
        let alike = known.get(&digest(&key, None));
        alike.into_iter().flatten().any(|(k, v)| equal(&key, k) && equal(&value, v))
    })
}

/// The same number for values that are equal, and mostly another one for values that are not. The shape says where the
/// order counts: that of the value on the left.
fn digest(value: &Value<'_>, shape: Option<&dyn Shape>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Bool(value) => value.hash(&mut hasher),
        Value::Int(_) | Value::Uint(_) | Value::Double(_) => number(value).hash(&mut hasher),
        Value::String(text) => (**text).hash(&mut hasher),
        Value::Bytes(bytes) => bytes.hash(&mut hasher),
        Value::Duration(nanos) => nanos.hash(&mut hasher),
        Value::Timestamp(at) => at.hash(&mut hasher),
        Value::Type(name) => name.hash(&mut hasher),
        Value::Optional(Some(value)) => digest(value, shape).hash(&mut hasher),
        Value::List(list) => {
            let inside = shape.and_then(Shape::item);
            let items = list.iter().map(|item| digest(&item, inside));
            match shape.map(Shape::elements).unwrap_or_default() {
                Elements::Atomic => items.for_each(|item| item.hash(&mut hasher)),
                Elements::Set | Elements::Map(_) => {
                    items.fold(0, u64::wrapping_add).hash(&mut hasher);
                }
            }
        }
        Value::Map(map) => {
            let entry = |(key, value): (Value<'_>, Value<'_>)| {
                let inside = match &key {
                    Value::String(name) => shape.and_then(|shape| shape.field(name)),
                    _ => None,
                };
                let key = digest(&key, None).rotate_left(1);
                key.wrapping_add(digest(&value, inside)).wrapping_mul(0x9e37_79b9)
            };
            map.iter().map(entry).fold(0, u64::wrapping_add).hash(&mut hasher);
        }
        Value::Null
        | Value::Optional(None)
        | Value::Foreign(_)
        | Value::Authz(_)
        | Value::Variables(_) => {}
    }
    hasher.finish()
}

/// A number as all types of numbers can be compared.
#[expect(clippy::cast_precision_loss, reason = "numbers that are equal lose the same")]
fn number(value: &Value<'_>) -> u64 {
    let number = match value {
        Value::Int(value) => *value as f64,
        Value::Uint(value) => *value as f64,
        Value::Double(value) => *value,
        _ => 0.0,
    };
    // Zero has two signs.
    (number + 0.0).to_bits()
}
