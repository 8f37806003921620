//! `/openapi/v2`: one document of everything, Swagger 2.0.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use windlass_core::scheme::ResourceInfo;

use super::{
    Definitions, Piece, definitions,
    operations::{self, MEDIA_TYPES, Operation},
};

/// What Swagger 2.0 has no words for.
const BEYOND: [&str; 7] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "nullable",
    "x-kubernetes-int-or-string",
    "x-kubernetes-validations",
];
const VERSION: &str = "2.0";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
pub(super) const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";

/// What stands before the paths of the document, its definitions, and behind them.
pub(super) fn head() -> Piece {
    Piece::new(format!("{{\"swagger\":{VERSION:?},\"info\":{},\"paths\":{{", info()).as_bytes())
}

pub(super) fn middle() -> Piece {
    Piece::new(b"},\"definitions\":{")
}

pub(super) fn tail() -> Piece {
    Piece::new(b"}}")
}

/// Entries one behind the other, with what stands between them.
pub(super) fn listed<'a>(pieces: impl Iterator<Item = &'a Piece>) -> Vec<Piece> {
    let mut listed = Vec::new();
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        if !listed.is_empty() {
            listed.push(Piece::new(b","));
        }
        listed.push(piece.clone());
    }
    listed
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": "unversioned"})
}

/// The whole document.
pub(super) fn document(resources: &[Arc<ResourceInfo>], mut all: Definitions) -> Value {
    for (name, value) in &mut all {
        definition(name, value);
    }
    all.sort_keys();
    let mut paths = Map::new();
    for operation in operations::all(resources) {
        let path = paths.entry(operation.path.as_str()).or_insert_with(|| json!({}));
        path[operation.method] = write(&operation);
    }
    paths.sort_keys();
    json!({
        "swagger": VERSION,
        "info": info(),
        "paths": paths,
        "definitions": all,
    })
}

fn write(operation: &Operation) -> Value {
    let mut parameters: Vec<_> = operation.parameters.iter().map(|parameter| {
        let mut value = json!({"name": parameter.name, "in": parameter.place, "type": parameter.ty, "description": parameter.description});
        match parameter.place {
            "path" => value["required"] = json!(true),
            _ => value["uniqueItems"] = json!(true),
        }
        value
    }).collect();
    let mut consumes = vec!["*/*"];
    if let Some((types, definition)) = &operation.body {
        consumes.clone_from(types);
        let required = operation.method != "delete";
        let mut body =
            json!({"name": "body", "in": "body", "schema": definitions::reference(definition)});
        if required {
            body["required"] = json!(true);
        }
        parameters.push(body);
    }
    let schema = operation
        .response
        .as_ref()
        .map_or_else(|| json!({"type": "string"}), |name| definitions::reference(name));
    json!({
        "description": operation.description,
        "consumes": consumes,
        "produces": if operation.response.is_some() { &MEDIA_TYPES[..] } else { &["*/*"] },
        "schemes": ["https"],
        "tags": [operation.tag],
        "operationId": operation.id,
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "schema": schema}, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": operation.action,
        definitions::GVK: definitions::gvk(&operation.gvk),
    })
}

/// Says a definition in the words of Swagger 2.0.
fn definition(name: &str, definition: &mut Value) {
    let plain = match name {
        INT_OR_STRING => Some("int-or-string"),
        QUANTITY => Some(""),
        _ => None,
    };
    simplify(definition);
    if let (Some(format), Value::Object(object)) = (plain, definition) {
        object.insert("type".to_owned(), json!("string"));
        if !format.is_empty() {
            object.insert("format".to_owned(), json!(format));
        }
    }
}

/// Leaves out what Swagger 2.0 cannot say, and what clients would hold against good objects.
fn simplify(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    // Clients refuse nulls, and properties that are not named, once they know a type or properties.
    let open = ["nullable", "x-kubernetes-preserve-unknown-fields"];
    if open.iter().any(|word| object.get(*word) == Some(&Value::Bool(true))) {
        for word in ["type", "items", "properties"] {
            object.shift_remove(word);
        }
    }
    for word in BEYOND {
        object.shift_remove(word);
    }
    children(object, simplify);
}

/// Visits the schemas inside of a schema.
pub(super) fn children(object: &mut Map<String, Value>, mut visit: impl FnMut(&mut Value)) {
    for (key, value) in object {
        match (key.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(properties)) => {
                properties.values_mut().for_each(&mut visit);
            }
            ("allOf" | "anyOf" | "oneOf" | "items", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(&mut visit)
            }
            ("items" | "additionalProperties" | "not", schema @ Value::Object(_)) => visit(schema),
            _ => {}
        }
    }
}
