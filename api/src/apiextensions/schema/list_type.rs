//! Elements of sets and maps must be unique.

use super::correlate;
use super::node::{ListType, Node};
use crate::strategy::Map;
use crate::validation::{Errors, Path};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// Whether all elements that must be unique are.
pub(super) fn is_unique(root: &Node, object: &Map) -> bool {
    let mut errors = Errors::default();
    check(root, object, &mut errors);
    errors.is_empty()
}

/// Adds the elements that stand there a second time.
pub(super) fn check(root: &Node, object: &Map, errors: &mut Errors) {
    fields(root, object, &Path::ROOT, errors);
}

fn fields(node: &Node, map: &Map, path: &Path<'_>, errors: &mut Errors) {
    for (name, value) in map {
        if let Some(property) = node.property(name) {
            walk(property, value, &path.child(name), errors);
        } else if let Some(node) = node.additional() {
            walk(node, value, &path.key(name), errors);
        }
    }
}

fn walk(node: &Node, value: &Value, path: &Path<'_>, errors: &mut Errors) {
    match value {
        Value::Object(map) => fields(node, map, path, errors),
        Value::Array(items) => {
            match node.list {
                ListType::Atomic => {}
                ListType::Set => set(items, path, errors),
                ListType::Map => map(node, items, path, errors),
            }
            let Some(node) = node.items.as_deref() else { return };
            for (at, item) in items.iter().enumerate() {
                walk(node, item, &path.index(at), errors);
            }
        }
        _ => {}
    }
}

fn set(items: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for at in second_ones(items.iter().map(sorted_text)) {
        errors.duplicate(path.index(at), items[at].clone());
    }
}

fn map(node: &Node, items: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let wrong = items.iter().position(|item| !item.is_object() && !item.is_null());
    if let Some(at) = wrong {
        let detail = "must be an object for an array of list-type map";
        return errors.invalid(path.index(at), items[at].clone(), detail);
    }
    for at in second_ones(items.iter().map(|item| correlate::key(node, item))) {
        let keys = node.list_map_keys().iter();
        let keys = keys.filter_map(|key| Some((key.to_string(), items[at].get(&**key)?.clone())));
        errors.duplicate(path.index(at), Value::Object(keys.collect()));
    }
}

/// The place of the second of each; the third is not named again.
fn second_ones(texts: impl Iterator<Item = String>) -> Vec<usize> {
    let mut seen: FxHashMap<String, usize> = FxHashMap::default();
    let mut found = Vec::new();
    for (at, text) in texts.enumerate() {
        let times = seen.entry(text).or_default();
        *times += 1;
        if *times == 2 {
            found.push(at);
        }
    }
    found
}

/// The same text for the same value, whatever the order of its keys.
fn sorted_text(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    value.to_string()
}
