//! Which element of a list is the one from before.

use super::node::{ListType, Node};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// The elements of a list of type `map`, by their keys. Of other lists it finds none.
pub(super) struct MapList<'a> {
    node: &'a Node,
    elements: FxHashMap<String, &'a Value>,
}

// === impl MapList ===

impl<'a> MapList<'a> {
    pub(super) fn new(node: &'a Node, list: Option<&'a Vec<Value>>) -> Self {
        let list = list.filter(|_| node.list == ListType::Map);
        let mut elements = FxHashMap::default();
        for item in list.into_iter().flatten() {
            elements.entry(key(node, item)).or_insert(item);
        }
        Self { node, elements }
    }

    /// The element with the same keys.
    pub(super) fn get(&self, item: &Value) -> Option<&'a Value> {
        if self.elements.is_empty() {
            return None;
        }
        self.elements.get(&key(self.node, item)).copied()
    }
}

/// The keys of an element; those it lacks are told from null.
pub(super) fn key(node: &Node, item: &Value) -> String {
    let mut text = String::new();
    for key in node.list_map_keys() {
        if let Some(value) = item.get(&**key) {
            text.push_str(&value.to_string());
        }
        text.push(',');
    }
    text
}
