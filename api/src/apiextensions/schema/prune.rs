//! Takes away what a schema does not know.

use super::node::{Flags, Node};
use super::unknown::Unknown;
use crate::strategy::Map;
use crate::validation::Path;
use serde_json::Value;

pub(super) const META_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Prunes an object; its metadata stay.
pub(super) fn prune(object: &mut Map, root: &Node, unknown: &mut Unknown) {
    let preserve = root.has(Flags::PRESERVE);
    fields(object, root, Place { resource: true, preserve }, &Path::ROOT, unknown);
}

/// Prunes a value, as that of a default.
pub(super) fn value(value: &mut Value, node: &Node) {
    walk(value, Some(node), &Path::ROOT, &mut Unknown::default());
}

#[derive(Clone, Copy)]
struct Place {
    resource: bool,
    preserve: bool,
}

fn walk(value: &mut Value, node: Option<&Node>, path: &Path<'_>, unknown: &mut Unknown) {
    let preserve = node.is_some_and(|node| node.has(Flags::PRESERVE));
    if preserve && let Some(node) = node {
        return preserved(value, node, path, unknown);
    }
    match (value, node) {
        (Value::Object(map), None) => {
            map.keys().for_each(|name| unknown.add(path.child(name)));
            map.clear();
        }
        (Value::Object(map), Some(node)) => {
            fields(map, node, Place { resource: node.is_embedded(), preserve }, path, unknown);
        }
        (Value::Array(items), node) => {
            let node = node.and_then(|node| node.items.as_deref());
            for (at, item) in items.iter_mut().enumerate() {
                walk(item, node, &path.index(at), unknown);
            }
        }
        _ => {}
    }
}

/// Unknown fields stay; those that are known are pruned inside.
fn preserved(value: &mut Value, node: &Node, path: &Path<'_>, unknown: &mut Unknown) {
    match value {
        Value::Object(map) => {
            let place = Place { resource: node.is_embedded(), preserve: true };
            fields(map, node, place, path, unknown);
        }
        Value::Array(items) => {
            let Some(node) = node.items.as_deref() else { return };
            for (at, item) in items.iter_mut().enumerate() {
                preserved(item, node, &path.index(at), unknown);
            }
        }
        _ => {}
    }
}

fn fields(map: &mut Map, node: &Node, place: Place, path: &Path<'_>, unknown: &mut Unknown) {
    map.retain(|name, value| {
        let meta = META_FIELDS.contains(&name.as_str());
        if place.resource && meta {
            return true;
        }
        let path = path.child(name);
        if let Some(property) = node.property(name) {
            walk(value, Some(property), &path, unknown);
        } else if node.rest.is_some() {
            walk(value, node.additional(), &path, unknown);
        } else if !place.preserve {
            unknown.add(path);
            return false;
        }
        true
    });
}
