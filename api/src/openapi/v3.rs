//! `/openapi/v3`: one document for each group version, OpenAPI 3.0.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value, json};
use windlass_core::scheme::{GroupVersion, ResourceInfo};

use super::{
    Definitions, Document, definitions,
    operations::{self, MEDIA_TYPES, Operation},
    v2::{QUANTITY, children},
};

const REFERENCE: &str = "#/components/schemas/";
/// What each document has, whether or not an operation uses it.
const ALWAYS: [&str; 2] = [
    "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
    "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent",
];

/// The documents of all group versions of these resources.
pub(super) fn documents(
    resources: &[Arc<ResourceInfo>],
    all: &Definitions,
) -> BTreeMap<GroupVersion, Arc<Document>> {
    let mut versions: BTreeMap<GroupVersion, Vec<Arc<ResourceInfo>>> = BTreeMap::new();
    for info in resources {
        versions.entry(info.gvr.group_version()).or_default().push(Arc::clone(info));
    }
    let document = |resources: &[_]| Arc::new(version(resources, all));
    versions.into_iter().map(|(version, resources)| (version, document(&resources))).collect()
}

/// The document of resources that are all of one group version.
pub(super) fn version(resources: &[Arc<ResourceInfo>], all: &Definitions) -> Document {
    Document::json(&document(resources, all))
}

fn document(resources: &[Arc<ResourceInfo>], all: &Definitions) -> Value {
    let operations = operations::all(resources);
    let bodies = operations
        .iter()
        .filter_map(|operation| operation.body.as_ref().map(|(_, name)| name.as_str()));
    let responses = operations.iter().filter_map(|operation| operation.response.as_deref());
    let mut needed = BTreeSet::new();
    for name in bodies.chain(responses).chain(ALWAYS) {
        collect(name, all, &mut needed);
    }
    let schemas: Map<_, _> =
        needed.into_iter().map(|name| (name.to_owned(), schema(name, &all[name]))).collect();
    let mut paths = Map::new();
    for operation in &operations {
        let path = paths.entry(operation.path.as_str()).or_insert_with(|| json!({}));
        path[operation.method] = write(operation);
    }
    paths.sort_keys();
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// Collects a definition and all it refers to.
pub(super) fn collect<'a>(name: &str, all: &'a Definitions, needed: &mut BTreeSet<&'a str>) {
    let Some((name, definition)) = all.get_key_value(name) else { return };
    if !needed.insert(name) {
        return;
    }
    let mut open = vec![definition];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(object) => {
                if let Some(name) = object.get("$ref").and_then(definitions::referred) {
                    collect(name, all, needed);
                }
                open.extend(object.values());
            }
            Value::Array(list) => open.extend(list),
            _ => {}
        }
    }
}

fn write(operation: &Operation) -> Value {
    let parameters: Vec<_> = operation.parameters.iter().map(|parameter| {
        let mut value = json!({"name": parameter.name, "in": parameter.place, "description": parameter.description, "schema": {"type": parameter.ty}});
        match parameter.place {
            "path" => value["required"] = json!(true),
            _ => value["schema"]["uniqueItems"] = json!(true),
        }
        value
    }).collect();
    let mut written = json!({
        "tags": [operation.tag],
        "description": operation.description,
        "operationId": operation.id,
        "parameters": parameters,
        "responses": {
            "200": {"description": "OK", "content": answer(operation.response.as_deref())},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": operation.action,
        definitions::GVK: definitions::gvk(&operation.gvk),
    });
    if let Some((types, definition)) = &operation.body {
        let content: Map<_, _> = types
            .iter()
            .map(|ty| ((*ty).to_owned(), json!({"schema": reference(definition)})))
            .collect();
        written["requestBody"] = json!({"content": content});
        if operation.method != "delete" {
            written["requestBody"]["required"] = json!(true);
        }
    }
    written
}

fn answer(definition: Option<&str>) -> Value {
    let Some(definition) = definition else {
        return json!({"*/*": {"schema": {"type": "string"}}});
    };
    let content = MEDIA_TYPES.map(|ty| (ty.to_owned(), json!({"schema": reference(definition)})));
    Value::Object(Map::from_iter(content))
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("{REFERENCE}{name}")})
}

/// Says a definition in the words of OpenAPI 3.0.
fn schema(name: &str, definition: &Value) -> Value {
    let mut schema = definition.clone();
    if let Value::Object(object) = &mut schema {
        if object.shift_remove("x-kubernetes-int-or-string").is_some() {
            object.extend(int_or_string(name == QUANTITY));
        }
        children(object, translate);
    }
    schema
}

/// The words for a value that is a number or a string.
fn int_or_string(quantity: bool) -> Map<String, Value> {
    let words = match quantity {
        true => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        false => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
    };
    words.as_object().cloned().unwrap_or_default()
}

/// Wraps references, beside which OpenAPI 3.0 allows nothing else.
fn translate(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    if let Some(target) = object.get("$ref").and_then(definitions::referred).map(reference) {
        object.shift_remove("$ref");
        object.insert("allOf".to_owned(), json!([target]));
        return;
    }
    children(object, translate);
}
