//! Sets of paths as `metav1.FieldsV1`: an object per step, `.` for the path itself.

use super::{Element, FieldSet, Node};
use crate::strategy::Map;
use serde_json::Value;

/// How deep a set may go. Kinds are not nearly as deep.
const MAX_DEPTH: usize = 64;

impl FieldSet {
    /// Writes `FieldsV1`.
    pub(crate) fn encode(&self) -> Map {
        let mut map = Map::new();
        for (element, node) in self.iter() {
            let mut inner = Map::new();
            if node.member && !node.children.is_empty() {
                inner.insert(".".into(), Map::new().into());
            }
            inner.extend(node.children.encode());
            map.insert(element.encode(), inner.into());
        }
        map
    }

    /// Reads `FieldsV1`; `None` when it is malformed.
    pub(crate) fn decode(map: &Map) -> Option<Self> {
        decode(map, MAX_DEPTH)
    }
}

fn decode(map: &Map, depth: usize) -> Option<FieldSet> {
    let depth = depth.checked_sub(1)?;
    let mut set = FieldSet::default();
    for (key, value) in map {
        if key == "." {
            continue;
        }
        let inner = value.as_object()?;
        let member = inner.is_empty() || inner.get(".").is_some_and(Value::is_object);
        set.put(Element::parse(key)?, Node { member, children: decode(inner, depth)? });
    }
    Some(set)
}
