//! Resources inside of resources have a kind and metadata of their own.

use super::node::Node;
use super::unknown::Unknown;
use crate::schema::decode;
use crate::strategy::Map;
use crate::strategy::json::{map_of, str_of};
use crate::validation::format::dns1035_label;
use crate::validation::{Errors, NameRule, Path, validate_meta};
use serde_json::Value;
use windlass_core::scheme::GroupVersionKind;

const PARTIAL: GroupVersionKind =
    GroupVersionKind::new("meta.k8s.io", "v1", "PartialObjectMetadata");

/// Brings the metadata of embedded resources into their form: what is malformed or unknown goes, and
/// what is unknown is noted.
pub(super) fn coerce_object(object: &mut Map, root: &Node, unknown: &mut Unknown) {
    if has_embedded(root) {
        coerce_fields(object, root, &Path::ROOT, unknown);
    }
}

/// Adds what is wrong with embedded resources.
pub(super) fn validate_object(object: &Map, root: &Node, errors: &mut Errors) {
    if has_embedded(root) {
        fields(object, root, &Path::ROOT, errors);
    }
}

/// The same for a value.
pub(super) fn validate_value(value: &Value, node: &Node, path: &Path<'_>, errors: &mut Errors) {
    if has_embedded(node) {
        walk(value, node, path, errors);
    }
}

fn has_embedded(node: &Node) -> bool {
    node.is_embedded()
        || node.properties.iter().any(|(_, node)| has_embedded(node))
        || node.items.as_deref().is_some_and(has_embedded)
        || node.additional().is_some_and(has_embedded)
}

fn coerce(value: &mut Value, node: &Node, path: &Path<'_>, unknown: &mut Unknown) {
    match value {
        Value::Object(map) => {
            if node.is_embedded() {
                coerce_meta(map, path, unknown);
            }
            coerce_fields(map, node, path, unknown);
        }
        Value::Array(items) => {
            let Some(node) = node.items.as_deref() else { return };
            for (at, item) in items.iter_mut().enumerate() {
                coerce(item, node, &path.index(at), unknown);
            }
        }
        _ => {}
    }
}

fn coerce_fields(map: &mut Map, node: &Node, path: &Path<'_>, unknown: &mut Unknown) {
    for (name, value) in map {
        if let Some(property) = node.property(name) {
            coerce(value, property, &path.child(name), unknown);
        } else if let Some(node) = node.additional() {
            coerce(value, node, &path.key(name), unknown);
        }
    }
}

fn coerce_meta(map: &mut Map, path: &Path<'_>, unknown: &mut Unknown) {
    map.retain(|name, value| !matches!(name.as_str(), "apiVersion" | "kind") || value.is_string());
    let Some(metadata) = map.get_mut("metadata") else { return };
    let (coerced, strange) = match decoded(metadata.clone()) {
        Ok(done) => done,
        Err(_) => field_by_field(metadata),
    };
    strange.iter().for_each(|field| unknown.add(format_args!("{path}.{field}")));
    *metadata = coerced;
}

/// What of the metadata can be read.
fn field_by_field(metadata: &Value) -> (Value, Vec<String>) {
    let (mut kept, mut unknown) = (Map::new(), Vec::new());
    for (name, value) in metadata.as_object().into_iter().flatten() {
        let one = Map::from_iter([(name.clone(), value.clone())]);
        if let Ok((Value::Object(one), strange)) = decoded(one.into()) {
            kept.extend(one);
            unknown.extend(strange);
        }
    }
    (kept.into(), unknown)
}

/// Metadata in canonical form, and the paths of fields they don't have.
fn decoded(metadata: Value) -> Result<(Value, Vec<String>), decode::DecodeError> {
    let object = Map::from_iter([("metadata".to_owned(), metadata)]);
    let decoded = decode::value(&PARTIAL, object.into())?;
    let metadata = decoded.value.get("metadata").cloned().unwrap_or_else(|| Map::new().into());
    let path = |text: &String| Some(text.split('"').nth(1)?.to_owned());
    Ok((metadata, decoded.strict.iter().filter_map(path).collect()))
}

fn walk(value: &Value, node: &Node, path: &Path<'_>, errors: &mut Errors) {
    match value {
        Value::Object(map) => {
            if node.is_embedded() {
                resource(map, path, errors);
            }
            fields(map, node, path, errors);
        }
        Value::Array(items) => {
            let Some(node) = node.items.as_deref() else { return };
            for (at, item) in items.iter().enumerate() {
                walk(item, node, &path.index(at), errors);
            }
        }
        _ => {}
    }
}

fn fields(map: &Map, node: &Node, path: &Path<'_>, errors: &mut Errors) {
    for (name, value) in map {
        if let Some(property) = node.property(name) {
            walk(value, property, &path.child(name), errors);
        } else if let Some(node) = node.additional() {
            walk(value, node, &path.key(name), errors);
        }
    }
}

fn resource(map: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in ["apiVersion", "kind"] {
        let path = path.child(key);
        match map.get(key) {
            None => errors.required(path, ""),
            Some(Value::String(text)) if text.is_empty() => {
                errors.invalid(path, "", "must not be empty");
            }
            Some(Value::String(text)) if key == "kind" => kind(text, &path, errors),
            Some(Value::String(text)) if text.matches('/').count() > 1 => {
                let detail = format!("unexpected GroupVersion string: {text}");
                errors.invalid(path, text.as_str(), &detail);
            }
            Some(Value::String(_)) => {}
            Some(other) => errors.invalid(path, other.clone(), "must be a string"),
        }
    }
    let Some(metadata) = map.get("metadata") else { return };
    let metadata_path = path.child("metadata");
    match decoded(metadata.clone()) {
        Err(error) => errors.invalid(metadata_path, metadata.clone(), &error.to_string()),
        Ok((metadata, _)) => meta(metadata, path, errors),
    }
}

fn kind(text: &str, path: &Path<'_>, errors: &mut Errors) {
    let found = dns1035_label(&text.to_lowercase());
    if !found.is_empty() {
        let detail =
            format!("may have mixed case, but should otherwise match: {}", found.join(","));
        errors.invalid(path, text, &detail);
    }
}

/// The rules of metadata, but that a name need not be there.
fn meta(mut metadata: Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(map) = metadata.as_object_mut()
        && str_of(map, "name").is_empty()
    {
        map.insert("name".into(), "fakename".into());
    }
    let object = Map::from_iter([("metadata".to_owned(), metadata)]);
    let namespaced =
        map_of(&object, "metadata").is_some_and(|m| !str_of(m, "namespace").is_empty());
    for error in validate_meta(&object, namespaced, NameRule::PathSegment) {
        errors.add_at(path, error);
    }
}
