//! Whether the `x-kubernetes-*` fields of a schema fit together.

use super::props::Props;
use super::rules;
use crate::validation::{Errors, Path};
use serde_json::Value;

const LIST_TYPE: &str = "x-kubernetes-list-type";
const LIST_MAP_KEYS: &str = "x-kubernetes-list-map-keys";
const MAP_TYPE: &str = "x-kubernetes-map-type";
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

/// Adds what is wrong with the extensions of this schema.
pub(super) fn check(schema: Props<'_>, path: &Path<'_>, errors: &mut Errors) {
    if schema.get(PRESERVE) == Some(&Value::Bool(false)) {
        errors.invalid(path.child(PRESERVE), false, "must be true or undefined");
    }
    if schema.get(MAP_TYPE).is_some() {
        has_type(schema, "object", MAP_TYPE, path, errors);
        known(schema, MAP_TYPE, &["atomic", "granular"], path, errors);
    }
    if schema.get(LIST_TYPE).is_some() && !has_type(schema, "array", LIST_TYPE, path, errors) {
        set_items(schema, path, errors);
    }
    if schema.get(LIST_TYPE).is_some() {
        known(schema, LIST_TYPE, &["atomic", "set", "map"], path, errors);
    }
    if !schema.list(LIST_MAP_KEYS).is_empty() && schema.str(LIST_TYPE) != "map" {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        match schema.get(LIST_TYPE) {
            None => errors.required(path.child(LIST_TYPE), detail),
            Some(other) => errors.invalid(path.child(LIST_TYPE), other.clone(), detail),
        }
    }
    if schema.str(LIST_TYPE) == "map" {
        map_items(schema, path, errors);
    }
    keys_and_nulls(schema, path, errors);
    rules::check_form(schema, path, errors);
}

/// Whether the type is wrong; says so.
fn has_type(
    schema: Props<'_>,
    ty: &str,
    because: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) -> bool {
    let detail = format!("must be {ty} if {because} is specified");
    match schema.ty() {
        "" => errors.required(path.child("type"), &detail),
        found if found != ty => errors.invalid(path.child("type"), found, &detail),
        _ => return false,
    }
    true
}

fn known(schema: Props<'_>, key: &str, values: &[&str], path: &Path<'_>, errors: &mut Errors) {
    let value = schema.str(key);
    if !values.contains(&value) {
        errors.unsupported(path.child(key), &value.into(), values);
    }
}

/// Elements of a set are compared as a whole.
fn set_items(schema: Props<'_>, path: &Path<'_>, errors: &mut Errors) {
    let Some(items) = schema.schema("items").filter(|_| schema.str(LIST_TYPE) == "set") else {
        return;
    };
    let key = match items.ty() {
        "array" if !matches!(items.str(LIST_TYPE), "" | "atomic") => LIST_TYPE,
        "object" if items.str(MAP_TYPE) != "atomic" => MAP_TYPE,
        _ => return,
    };
    let value = items.get(LIST_TYPE).cloned().unwrap_or(Value::Null);
    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
    errors.invalid(path.child("items").child(key), value, detail);
}

fn map_items(schema: Props<'_>, path: &Path<'_>, errors: &mut Errors) {
    if schema.list(LIST_MAP_KEYS).is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        errors.required(path.child(LIST_MAP_KEYS), detail);
    }
    let Some(items) = schema.schema("items") else {
        let detail = "must have a schema if x-kubernetes-list-type is map";
        return errors.required(path.child("items"), detail);
    };
    let items_path = path.child("items");
    if items.ty() != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        return errors.invalid(items_path.child("type"), items.ty(), detail);
    }
    let keys: Vec<_> = schema.strings(LIST_MAP_KEYS).collect();
    let properties = items_path.child("properties");
    for (at, key) in keys.iter().enumerate() {
        let all = Value::from(keys.clone());
        match items.property(key).map(Props::ty) {
            None => {
                let detail = "entries must all be names of item properties";
                errors.invalid(path.child(LIST_MAP_KEYS), all.clone(), detail);
            }
            Some("array" | "object") => {
                let detail =
                    "must be a scalar type if parent array's x-kubernetes-list-type is map";
                errors.invalid(properties.key(key).child("type"), items.ty(), detail);
            }
            Some(_) => {}
        }
        if keys[..at].contains(key) {
            let detail = "must not contain duplicate entries";
            errors.invalid(path.child(LIST_MAP_KEYS), all, detail);
        }
    }
}

/// Elements that are told apart are not null, and have their keys.
fn keys_and_nulls(schema: Props<'_>, path: &Path<'_>, errors: &mut Errors) {
    let list_type = schema.str(LIST_TYPE);
    let (Some(items), "set" | "map") = (schema.schema("items"), list_type) else { return };
    let path = path.child("items");
    if items.is("nullable") {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.forbidden(path.child("nullable"), &detail);
    }
    if list_type == "set" {
        return;
    }
    let properties = path.child("properties");
    for key in schema.strings(LIST_MAP_KEYS) {
        let Some(property) = items.property(key) else { continue };
        let path = properties.key(key);
        let required = items.strings("required").any(|required| required == key);
        if !required && property.get("default").is_none() {
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.required(path.child("default"), detail);
        }
        if property.is("nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.forbidden(path.child("nullable"), detail);
        }
    }
}
