//! What an `openAPIV3Schema` may not have, wherever it stands.

use super::extensions;
use super::props::Props;
use crate::validation::{Errors, Path};
use serde_json::Value;

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
const META_FIELDS: [&str; 3] = ["metadata", "kind", "apiVersion"];
/// Fields of JSON Schema that are not supported, with what must be set for them to be refused.
const UNSUPPORTED: [(&str, bool); 6] = [
    ("id", true),
    ("additionalItems", false),
    ("patternProperties", true),
    ("definitions", true),
    ("dependencies", false),
    ("$ref", false),
];

/// What is known of the place of a schema.
#[derive(Clone, Copy)]
struct Place<'a> {
    root: bool,
    inside_meta: bool,
    /// Why no defaults may be set.
    no_defaults: Option<&'a str>,
}

/// Adds what is not supported or contradicts itself.
pub(super) fn check(schema: Props<'_>, path: &Path<'_>, errors: &mut Errors) {
    if schema.is("nullable") {
        errors.forbidden(path.child("nullable"), "nullable cannot be true at the root");
    }
    let place = Place { root: true, inside_meta: false, no_defaults: None };
    walk(schema, place, path, errors);
}

fn walk(schema: Props<'_>, place: Place<'_>, path: &Path<'_>, errors: &mut Errors) {
    standard(schema, place, path, errors);
    if schema.is("uniqueItems") {
        let detail =
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.forbidden(path.child("uniqueItems"), detail);
    }
    additional_properties(schema, place, path, errors);
    properties(schema, place, path, errors);
    let inner = Place { root: false, ..place };
    for key in ["not", "items"] {
        if let Some(schema) = schema.schema(key) {
            walk(schema, inner, &path.child(key), errors);
        }
    }
    for key in ["allOf", "oneOf", "anyOf", "items"] {
        let list = path.child(key);
        for (at, schema) in schema.schemas(key).enumerate() {
            walk(schema, inner, &list.index(at), errors);
        }
    }
    for key in ["definitions", "dependencies"] {
        let map = path.child(key);
        for (name, schema) in schema.named(key) {
            walk(schema, inner, &map.key(name), errors);
        }
    }
    extensions::check(schema, path, errors);
}

fn standard(schema: Props<'_>, place: Place<'_>, path: &Path<'_>, errors: &mut Errors) {
    let ty = schema.ty();
    if !ty.is_empty() && !TYPES.contains(&ty) {
        errors.not_supported(path.child("type"), ty, &TYPES);
    }
    if let Some(why) = place.no_defaults.filter(|_| schema.get("default").is_some()) {
        errors.forbidden(path.child("default"), &format!("must not be set {why}"));
    }
    for (key, filled) in UNSUPPORTED {
        let set = if filled { schema.has(key) } else { schema.get(key).is_some() };
        if set {
            errors.forbidden(path.child(key), &format!("{key} is not supported"));
        }
    }
    if ty == "null" {
        let detail = "type cannot be set to null, use nullable as an alternative";
        errors.forbidden(path.child("type"), detail);
    }
    if !schema.list("items").is_empty() {
        let detail = "items must be a schema object and not an array";
        errors.forbidden(path.child("items"), detail);
    }
    if place.inside_meta && schema.is("x-kubernetes-embedded-resource") {
        let detail = "must not be used inside of resource meta";
        errors.forbidden(path.child("x-kubernetes-embedded-resource"), detail);
    }
}

fn additional_properties(
    schema: Props<'_>,
    place: Place<'_>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(value) = schema.get("additionalProperties") else { return };
    let path = path.child("additionalProperties");
    if schema.properties().next().is_some() && *value != Value::Bool(true) {
        errors.forbidden(path, "additionalProperties and properties are mutual exclusive");
    }
    let Some(schema) = schema.schema("additionalProperties") else { return };
    let inside = "inside additionalProperties applying to object metadata";
    let no_defaults = if place.inside_meta { Some(inside) } else { place.no_defaults };
    walk(schema, Place { root: false, no_defaults, ..place }, &path, errors);
}

fn properties(schema: Props<'_>, place: Place<'_>, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child("properties");
    let resource = place.root || schema.is("x-kubernetes-embedded-resource");
    for (name, property) in schema.properties() {
        let mut inner = Place { root: false, ..place };
        let why = format!("in top-level {name}");
        if resource && META_FIELDS.contains(&name) {
            inner.inside_meta = true;
            if place.root {
                inner.no_defaults = Some(&why);
            }
        }
        walk(property, inner, &list.key(name), errors);
    }
}
