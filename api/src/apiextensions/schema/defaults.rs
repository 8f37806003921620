//! Whether the defaults of a schema are values it allows itself.

use super::node::Flags;
use super::node::Node;
use super::{embedded, evaluate, prune, validate};
use crate::validation::{Errors, Path};
use serde_json::Value;

/// Adds what is wrong with defaults. Those of the metadata are refused elsewhere.
pub(super) fn check(root: &Node, at: &Path<'_>, errors: &mut Errors) {
    let properties = at.child("properties");
    for (name, property) in &*root.properties {
        let meta = prune::META_FIELDS.contains(&&**name);
        walk(property, meta, &properties.key(name), errors);
    }
}

/// Adds the rules that defaults break.
pub(super) fn check_rules(node: &Node, path: &Path<'_>, errors: &mut Errors) {
    if !node.has(Flags::HAS_RULES) {
        return;
    }
    if let Some(default) = node.default() {
        let path = path.child("default");
        let mut found = Errors::default();
        evaluate::part(node, default, Some(default), &path, &mut found);
        if found.is_empty() {
            evaluate::part(node, default, None, &path, &mut found);
        }
        errors.extend(found);
    }
    if let Some(items) = node.items.as_deref() {
        check_rules(items, &path.child("items"), errors);
    }
    let properties = path.child("properties");
    for (name, property) in &*node.properties {
        check_rules(property, &properties.key(name), errors);
    }
}

fn walk(node: &Node, inside_meta: bool, path: &Path<'_>, errors: &mut Errors) {
    let inside_meta = inside_meta && !node.is_embedded();
    if let Some(default) = node.default() {
        one(node, default, inside_meta, &path.child("default"), errors);
    }
    if let Some(items) = node.items.as_deref() {
        walk(items, inside_meta, &path.child("items"), errors);
    }
    let properties = path.child("properties");
    for (name, property) in &*node.properties {
        let meta = node.is_embedded() && prune::META_FIELDS.contains(&&**name);
        walk(property, inside_meta || meta, &properties.key(name), errors);
    }
}

fn one(node: &Node, default: &Value, inside_meta: bool, path: &Path<'_>, errors: &mut Errors) {
    if !inside_meta {
        let mut pruned = default.clone();
        prune::value(&mut pruned, node);
        if pruned != *default {
            errors.invalid(path, default.clone(), "must not have unknown fields");
        }
    }
    let mut found = Errors::default();
    embedded::validate_value(default, node, path, &mut found);
    if found.is_empty() {
        validate::part(node, default, None, path, &mut found);
    }
    errors.extend(found);
}
