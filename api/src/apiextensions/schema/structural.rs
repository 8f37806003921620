//! Whether a schema is structural: every field has a type, and what only restricts values declares none.

use super::pattern;
use super::props::Props;
use crate::validation::{Errors, Path};
use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What may not be set in a schema that only restricts values: the field, and what is said.
const NOT_NESTED: [(&str, &str); 11] = [
    ("type", "must be empty to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
];

/// Adds what makes a schema not structural, sorted.
pub(super) fn check(schema: Props<'_>, path: &Path<'_>, errors: &mut Errors) {
    let mut found = Errors::default();
    invariants(schema, Level::Root, path, &mut found);
    completeness(schema, Some(schema), path, path, &mut found);
    found.sort();
    errors.extend(found);
}

fn invariants(schema: Props<'_>, level: Level, path: &Path<'_>, errors: &mut Errors) {
    let items = schema.schema("items");
    if schema.ty() == "array" && items.is_none() {
        errors.required(path.child("items"), "must be specified");
    }
    if let Some(items) = items {
        invariants(items, Level::Item, &path.child("items"), errors);
    }
    let properties = path.child("properties");
    for (name, property) in schema.properties() {
        invariants(property, Level::Field, &properties.key(name), errors);
    }
    additional_properties(schema, level, path, errors);
    extensions(schema, path, errors);
    let skip = Skip::of(schema);
    value_validation(schema, skip, path, errors);
    types(schema, level, path, errors);
    metadata(schema, level, path, errors);
    let embedded = schema.is("x-kubernetes-embedded-resource");
    let preserves = schema.is("x-kubernetes-preserve-unknown-fields");
    if embedded && !preserves && schema.properties().next().is_none() {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.required(path.child("properties"), detail);
    }
}

fn additional_properties(schema: Props<'_>, level: Level, path: &Path<'_>, errors: &mut Errors) {
    if schema.get("additionalProperties").is_none() {
        return;
    }
    let path = path.child("additionalProperties");
    if level == Level::Root {
        errors.forbidden(path, "must not be used at the root");
    }
    if schema.is("x-kubernetes-embedded-resource") {
        errors.forbidden(path, "must not be used if x-kubernetes-embedded-resource is set");
    }
    if let Some(schema) = schema.schema("additionalProperties") {
        invariants(schema, Level::Field, &path, errors);
    }
}

fn extensions(schema: Props<'_>, path: &Path<'_>, errors: &mut Errors) {
    if schema.is("x-kubernetes-int-or-string") {
        for other in ["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"] {
            if schema.is(other) {
                let detail = "must be false if x-kubernetes-int-or-string is true";
                errors.invalid(path.child(other), true, detail);
            }
        }
    }
}

fn types(schema: Props<'_>, level: Level, path: &Path<'_>, errors: &mut Errors) {
    let (ty, path) = (schema.ty(), path.child("type"));
    let free = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"]
        .map(|x| schema.is(x));
    if schema.is("x-kubernetes-embedded-resource") && ty != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        if ty.is_empty() {
            errors.required(path, detail);
        } else {
            errors.invalid(path, ty, detail);
        }
    } else if ty.is_empty() && free == [false, false] {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.required(path, detail);
    }
    if level == Level::Root && !ty.is_empty() && ty != "object" {
        errors.invalid(path, ty, "must be object at the root");
    }
}

/// What is said of the fields that every resource has.
fn metadata(schema: Props<'_>, level: Level, path: &Path<'_>, errors: &mut Errors) {
    let is_resource = level == Level::Root || schema.is("x-kubernetes-embedded-resource");
    let properties = path.child("properties");
    for (name, ty) in [("kind", "string"), ("apiVersion", "string"), ("metadata", "object")] {
        let Some(property) = schema.property(name).filter(|_| is_resource) else { continue };
        if property.ty() != ty {
            let path = properties.key(name);
            errors.invalid(path.child("type"), property.ty(), &format!("must be {ty}"));
        }
    }
    let Some(metadata) = schema.property("metadata").filter(|_| level == Level::Root) else {
        return;
    };
    let known = |name| name == "name" || name == "generateName";
    let allowed = |key| match key {
        "type" | "default" => true,
        "properties" => metadata.properties().all(|(name, _)| known(name)),
        _ => false,
    };
    if !metadata.keys().all(allowed) {
        let detail = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.forbidden(properties.key("metadata"), detail);
    }
}

/// The two ways in which an int-or-string may spell out its types.
#[derive(Clone, Copy, Default)]
struct Skip {
    any_of: bool,
    first_all_of: bool,
}

// === impl Skip ===

impl Skip {
    fn of(schema: Props<'_>) -> Self {
        let first = schema.schemas("allOf").next();
        Self { any_of: spells_types(schema), first_all_of: first.is_some_and(spells_types) }
    }
}

fn spells_types(schema: Props<'_>) -> bool {
    let is = |at: usize, ty: &str| {
        let mut alternatives = schema.schemas("anyOf").skip(at);
        alternatives.next().is_some_and(|schema| schema.ty() == ty && schema.keys().count() == 1)
    };
    schema.list("anyOf").len() == 2 && is(0, "integer") && is(1, "string")
}

fn value_validation(schema: Props<'_>, skip: Skip, path: &Path<'_>, errors: &mut Errors) {
    for key in ["anyOf", "allOf", "oneOf"] {
        if key == "anyOf" && skip.any_of {
            continue;
        }
        let list = path.child(key);
        for (at, nested) in schema.schemas(key).enumerate() {
            let any_of = key == "allOf" && at == 0 && skip.first_all_of;
            let skip = Skip { any_of, first_all_of: false };
            nested_validation(nested, skip, &list.index(at), errors);
        }
    }
    if let Some(not) = schema.schema("not") {
        nested_validation(not, Skip::default(), &path.child("not"), errors);
    }
    let text = schema.str("pattern");
    if !text.is_empty()
        && let Err(error) = pattern::check(text)
    {
        let detail = format!("must be a valid regular expression, but isn't: {error}");
        errors.invalid(path.child("pattern"), text, &detail);
    }
}

fn nested_validation(schema: Props<'_>, skip: Skip, path: &Path<'_>, errors: &mut Errors) {
    value_validation(schema, skip, path, errors);
    if let Some(items) = schema.schema("items") {
        nested_validation(items, Skip::default(), &path.child("items"), errors);
    }
    let properties = path.child("properties");
    for (name, property) in schema.properties() {
        nested_validation(property, Skip::default(), &properties.key(name), errors);
    }
    if schema.get("additionalProperties").is_some_and(|value| *value != Value::Bool(false)) {
        let detail = "must be undefined to be structural";
        errors.forbidden(path.child("additionalProperties"), detail);
    }
    for (key, detail) in NOT_NESTED {
        let set = if key == "default" { schema.get(key).is_some() } else { schema.has(key) };
        if set {
            errors.forbidden(path.child(key), detail);
        }
    }
    if schema.has("x-kubernetes-validations") {
        let detail = "must be empty to be structural";
        errors.forbidden(path.child("x-kubernetes-validations"), detail);
    }
    if schema.property("metadata").is_some() {
        errors.forbidden(properties.key("metadata"), "must not be specified in a nested context");
    }
}

/// Whether what is restricted is also declared.
fn completeness(
    restricts: Props<'_>,
    declares: Option<Props<'_>>,
    declared: &Path<'_>,
    restricted: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(not) = restricts.schema("not") {
        nested_completeness(not, declares, declared, &restricted.child("not"), errors);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        let list = restricted.child(key);
        for (at, nested) in restricts.schemas(key).enumerate() {
            nested_completeness(nested, declares, declared, &list.index(at), errors);
        }
    }
}

fn nested_completeness(
    restricts: Props<'_>,
    declares: Option<Props<'_>>,
    declared: &Path<'_>,
    restricted: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(schema) = declares else {
        errors.required(declared, &format!("because it is defined in {restricted}"));
        return;
    };
    completeness(restricts, declares, declared, restricted, errors);
    if let Some(items) = restricts.schema("items") {
        let paths = (declared.child("items"), restricted.child("items"));
        nested_completeness(items, schema.schema("items"), &paths.0, &paths.1, errors);
    }
    let lists = (declared.child("properties"), restricted.child("properties"));
    for (name, property) in restricts.properties() {
        let paths = (lists.0.key(name), lists.1.key(name));
        nested_completeness(property, schema.property(name), &paths.0, &paths.1, errors);
    }
}
