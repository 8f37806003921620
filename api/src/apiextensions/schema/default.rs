//! Fills in what is missing.

use super::node::Node;
use crate::strategy::Map;
use serde_json::Value;

/// Removes nulls that the schema does not allow, but for those that a default replaces.
pub(super) fn prune_nulls(map: &mut Map, node: &Node) {
    nulls_of_fields(map, Some(node));
}

fn nulls_of_fields(map: &mut Map, node: Option<&Node>) {
    map.retain(|name, value| {
        let node = node.and_then(|node| node.field(name));
        let refused = |node: &Node| !node.is_nullable() && node.default().is_none();
        if value.is_null() && node.is_some_and(refused) {
            return false;
        }
        nulls(value, node);
        true
    });
}

fn nulls(value: &mut Value, node: Option<&Node>) {
    match (value, node) {
        (Value::Object(map), Some(node)) => nulls_of_fields(map, Some(node)),
        (Value::Array(items), Some(node)) => {
            items.iter_mut().for_each(|item| nulls(item, node.items.as_deref()));
        }
        _ => {}
    }
}

/// Fills in defaults.
pub(super) fn fill(map: &mut Map, node: &Node) {
    for (name, property) in &*node.properties {
        let Some(default) = property.default() else { continue };
        match map.get_mut(&**name) {
            None => _ = map.insert((**name).to_owned(), default.clone()),
            Some(value) if value.is_null() && !property.is_nullable() => *value = default.clone(),
            Some(_) => {}
        }
    }
    for (name, value) in map.iter_mut() {
        if let Some(property) = node.property(name) {
            inside(value, property);
        } else if let Some(node) = node.additional() {
            replace_null(value, node);
            inside(value, node);
        }
    }
}

fn inside(value: &mut Value, node: &Node) {
    match value {
        Value::Object(map) => fill(map, node),
        Value::Array(items) => {
            let Some(node) = node.items.as_deref() else { return };
            for item in items {
                replace_null(item, node);
                inside(item, node);
            }
        }
        _ => {}
    }
}

fn replace_null(value: &mut Value, node: &Node) {
    if value.is_null()
        && !node.is_nullable()
        && let Some(default) = node.default()
    {
        *value = default.clone();
    }
}
