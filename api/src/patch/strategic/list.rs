//! Merging lists.

use super::{PATCH, Type, merge_map, order, plain};
use crate::strategy::Map;
use serde_json::Value;

/// Merges a list that has the `merge` strategy: objects by their key, scalars as a set.
pub(super) fn merge(
    old: Vec<Value>,
    patch: Vec<Value>,
    key: Option<&str>,
    ty: Type,
) -> Result<Vec<Value>, String> {
    match key {
        Some(key) => merge_objects(old, patch, key, ty),
        None => Ok(merge_scalars(old, patch)),
    }
}

fn merge_scalars(old: Vec<Value>, patch: Vec<Value>) -> Vec<Value> {
    let mut merged = old.clone();
    for item in &patch {
        if !merged.contains(item) {
            merged.push(item.clone());
        }
    }
    order::arrange(merged, &patch, &old, None)
}

fn merge_objects(
    old: Vec<Value>,
    patch: Vec<Value>,
    key: &str,
    ty: Type,
) -> Result<Vec<Value>, String> {
    let mut merged = old.clone();
    let mut wanted = Vec::new();
    let mut replace = false;
    for item in patch {
        let Value::Object(mut item) = item else {
            return Err("expected an object in a list that merges by key".into());
        };
        match item.get(PATCH).and_then(Value::as_str) {
            Some("delete") => {
                let value = key_of(&item, key)?;
                merged.retain(|there| there.get(key) != Some(&value));
            }
            Some("replace") if item.len() == 1 => replace = true,
            Some("replace") => return Err("unknown patch type found: replace".into()),
            Some("merge") => {
                item.shift_remove(PATCH);
                wanted.push(item);
            }
            Some(other) => return Err(format!("Unknown patch type found: {other}")),
            None => wanted.push(item),
        }
    }
    let names: Vec<_> = wanted.iter().map(|item| Value::Object(item.clone())).collect();
    if replace {
        return Ok(names.into_iter().map(plain).collect());
    }
    for item in wanted {
        merge_object(&mut merged, item, key, ty)?;
    }
    Ok(order::arrange(merged, &names, &old, Some(key)))
}

fn merge_object(merged: &mut Vec<Value>, item: Map, key: &str, ty: Type) -> Result<(), String> {
    let value = key_of(&item, key)?;
    match merged.iter_mut().find(|there| there.get(key) == Some(&value)) {
        Some(Value::Object(there)) => {
            *there = merge_map(std::mem::take(there), item, ty)?;
        }
        _ => merged.push(plain(Value::Object(item))),
    }
    Ok(())
}

fn key_of(item: &Map, key: &str) -> Result<Value, String> {
    item.get(key).cloned().ok_or_else(|| {
        let shown = Value::Object(item.clone());
        format!("map: {shown} does not contain declared merge key: {key}")
    })
}
