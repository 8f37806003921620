//! The live object with the applied one laid over it.

use crate::managed_fields::{Element, Shape};
use crate::strategy::Map;
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn merge(live: &Map, config: &Map, shape: Shape<'_>) -> Map {
    let mut merged = live.clone();
    for (name, wanted) in config {
        match value(live.get(name), wanted, shape.child(name)) {
            Value::Null => _ = merged.shift_remove(name),
            other => _ = merged.insert(name.clone(), other),
        }
    }
    merged
}

fn value(live: Option<&Value>, wanted: &Value, shape: Shape<'_>) -> Value {
    match (live, wanted) {
        (Some(Value::Object(live)), Value::Object(wanted)) if !matches!(shape, Shape::Leaf) => {
            Value::Object(merge(live, wanted, shape))
        }
        (Some(Value::Array(live)), Value::Array(wanted)) if shape.is_list() => {
            Value::Array(list(live, wanted, shape))
        }
        _ => wanted.clone(),
    }
}

/// What only the live list has stays where it was; the wanted elements come in their order.
fn list(live: &[Value], wanted: &[Value], shape: Shape<'_>) -> Vec<Value> {
    let element = |item: &Value| shape.element(item).ok();
    let named: BTreeMap<Element, usize> =
        wanted.iter().enumerate().filter_map(|(at, item)| Some((element(item)?, at))).collect();
    let place_of = |item: &Value| element(item).and_then(|e| named.get(&e).copied());
    let mut there: Vec<Option<&Value>> = vec![None; wanted.len()];
    for item in live {
        if let Some(place) = place_of(item) {
            there[place].get_or_insert(item);
        }
    }
    let mut merged = Vec::with_capacity(live.len() + wanted.len());
    let mut next = 0;
    let mut take_until = |merged: &mut Vec<Value>, until: usize| {
        while next < until {
            merged.push(value(there[next], &wanted[next], shape.child("")));
            next += 1;
        }
    };
    for item in live {
        match place_of(item) {
            None => merged.push(item.clone()),
            Some(place) => take_until(&mut merged, place + 1),
        }
    }
    take_until(&mut merged, wanted.len());
    merged
}
