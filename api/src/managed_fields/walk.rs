//! The fields of a value, and those in which two values differ.

use super::{Element, FieldSet, Node, Shape};
use crate::strategy::Map;
use serde_json::Value;
use std::collections::BTreeMap;

/// In what two objects differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Difference {
    /// The new one has it.
    pub(crate) added: FieldSet,
    /// Both have it, with other values.
    pub(crate) modified: FieldSet,
    /// The old one had it.
    pub(crate) removed: FieldSet,
}

#[derive(Default)]
struct Change {
    added: Node,
    modified: Node,
    removed: Node,
}

/// The parts of a value with their steps; of elements that are there twice the first.
type Parts<'a> = BTreeMap<Element, (&'a Value, Shape<'a>)>;

// === impl Difference ===

impl Difference {
    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.modified.is_empty() && self.removed.is_empty()
    }

    /// What was written: added or modified.
    pub(crate) fn written(&self) -> FieldSet {
        let mut set = self.added.clone();
        set.union(self.modified.clone());
        set
    }

    /// Takes what the server fills in, and the part that is written elsewhere, out of the account.
    pub(crate) fn restrict(&mut self, restrict: impl Fn(&mut FieldSet)) {
        restrict(&mut self.added);
        restrict(&mut self.modified);
        restrict(&mut self.removed);
    }
}

/// The fields that a manager who applies this object owns.
///
/// # Errors
/// What is wrong with a list: an element without its key, or two with the same.
pub(crate) fn field_set(object: &Map, shape: Shape<'_>) -> Result<FieldSet, String> {
    let mut set = FieldSet::default();
    for (name, value) in object {
        let node = node_of(value, shape.child(name), shape.has_free_keys())?;
        set.put(Element::field(name), node);
    }
    Ok(set)
}

/// In what `new` differs from `old`.
pub(crate) fn compare(old: &Map, new: &Map, shape: Shape<'_>) -> Difference {
    let mut all = Difference::default();
    for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
        let change = change(old.get(name), new.get(name), shape.child(name));
        all.added.put(Element::field(name), change.added);
        all.modified.put(Element::field(name), change.modified);
        all.removed.put(Element::field(name), change.removed);
    }
    all
}

/// Takes the paths of the set out of an object. Lists and objects this leaves empty go too.
pub(crate) fn remove(object: &mut Map, set: &FieldSet, shape: Shape<'_>) {
    object.retain(|name, value| match set.get(&Element::field(name)) {
        None => true,
        Some(node) if node.member => false,
        Some(node) => keep_without(value, &node.children, shape.child(name)),
    });
}

fn keep_without(value: &mut Value, set: &FieldSet, shape: Shape<'_>) -> bool {
    match value {
        Value::Object(map) => {
            remove(map, set, shape);
            !map.is_empty()
        }
        Value::Array(items) if shape.is_list() => {
            items.retain_mut(|item| {
                let node = shape.element(item).ok().and_then(|element| set.get(&element));
                match node {
                    None => true,
                    Some(node) if node.member => false,
                    Some(node) => keep_without(item, &node.children, shape.child("")),
                }
            });
            !items.is_empty()
        }
        _ => true,
    }
}

fn node_of(value: &Value, shape: Shape<'_>, always: bool) -> Result<Node, String> {
    match value {
        Value::Object(map) if shape.has_parts(value) => {
            Ok(Node { member: always || map.is_empty(), children: field_set(map, shape)? })
        }
        Value::Array(items) if shape.has_parts(value) => {
            let mut children = FieldSet::default();
            for item in items {
                let element = shape.element(item)?;
                if children.get(&element).is_some() {
                    return Err(format!("duplicate entries for key {element}"));
                }
                children.put(element, node_of(item, shape.child(""), true)?);
            }
            Ok(Node { member: always || items.is_empty(), children })
        }
        _ => Ok(Node::leaf()),
    }
}

fn change(old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>) -> Change {
    let (old, new) = (old.filter(|v| !v.is_null()), new.filter(|v| !v.is_null()));
    let whole = |value: &Value| !shape.has_parts(value);
    match (old, new) {
        (None, None) => Change::default(),
        (Some(old), Some(new)) if whole(old) || whole(new) => {
            let modified = if old == new { Node::default() } else { Node::leaf() };
            Change { modified, ..Change::default() }
        }
        (None, Some(new)) if whole(new) => Change { added: Node::leaf(), ..Change::default() },
        (Some(old), None) if whole(old) => Change { removed: Node::leaf(), ..Change::default() },
        (old, new) => {
            let mut all = change_of_parts(old, new, shape);
            // Go has structs that are always there: only maps and lists come into being.
            let appears = |value: &Value| !shape.is_always_there() || is_empty(value);
            all.added.member = old.is_none() && new.is_some_and(appears);
            all.removed.member = new.is_none();
            all
        }
    }
}

fn change_of_parts(old: Option<&Value>, new: Option<&Value>, shape: Shape<'_>) -> Change {
    let (old, new) = (parts(old, shape), parts(new, shape));
    let mut all = Change::default();
    for element in old.keys().chain(new.keys().filter(|element| !old.contains_key(*element))) {
        let (before, after) = (old.get(element), new.get(element));
        let inner = before.or(after).map_or(Shape::Leaf, |(_, shape)| *shape);
        let mut part = change(before.map(|b| b.0), after.map(|a| a.0), inner);
        if !matches!(element, Element::Field(_)) {
            part.added.member |= before.is_none();
            part.removed.member |= after.is_none();
        }
        all.added.children.put(element.clone(), part.added);
        all.modified.children.put(element.clone(), part.modified);
        all.removed.children.put(element.clone(), part.removed);
    }
    all
}

fn parts<'a>(value: Option<&'a Value>, shape: Shape<'a>) -> Parts<'a> {
    let mut parts = Parts::new();
    match value {
        Some(Value::Object(map)) => {
            for (name, value) in map {
                parts.insert(Element::field(name), (value, shape.child(name)));
            }
        }
        Some(Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                // What is stored may break a rule that came later: such elements go by their place.
                let element = shape.element(item).unwrap_or(Element::Index(at));
                parts.entry(element).or_insert((item, shape.child("")));
            }
        }
        _ => {}
    }
    parts
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}
