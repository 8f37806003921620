//! Definitions: the schema of each kind and of its parts, in the form of `/openapi/v2`.

use std::sync::Arc;

use k8s_openapi::schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use windlass_core::scheme::{GroupVersionKind, ResourceInfo};

use super::{CustomKind, Definitions, kinds};
use crate::schema::{Field, ListType, MessageRef, Schema};

/// The extension that tells the kinds of a definition or an operation.
pub(super) const GVK: &str = "x-kubernetes-group-version-kind";
pub(super) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const REFERENCE: &str = "#/definitions/";

/// What every object says of itself.
pub(super) const TYPE_META: [(&str, &str); 2] = [
    ("apiVersion", "The group and version of the schema this object follows."),
    ("kind", "The kind of this object, which the path it was sent to also tells."),
];

/// The definitions of these kinds, of their lists, and of all they refer to. What has no schema may hold anything.
pub(super) fn builtin(resources: &[Arc<ResourceInfo>]) -> Definitions {
    let mut generator = generator();
    kinds::add_all(&mut generator);
    let mut all = finish(generator);
    for info in resources {
        let kind = name(&info.gvk());
        if !all.contains_key(&kind) {
            let open = CustomKind { info: info.clone(), list_kind: info.list_kind(), schema: None };
            all.insert(kind.clone(), open.object());
        }
        if info.has_verb("list") {
            all.insert(format!("{kind}List"), list(info, &info.list_kind(), &kind));
        }
    }
    all
}

/// The definitions that every group version needs.
pub(super) fn common() -> Definitions {
    let mut generator = generator();
    kinds::add_common(&mut generator);
    finish(generator)
}

/// The name of the definition of a kind.
pub(super) fn name(gvk: &GroupVersionKind) -> String {
    if let Some(message) = Schema::builtin().kind(gvk) {
        return message.definition();
    }
    let group: Vec<_> = gvk.group.split('.').rev().collect();
    format!("{}.{}.{}", group.join("."), gvk.version, gvk.kind)
}

/// A reference to a definition.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("{REFERENCE}{name}")})
}

/// The name a reference leads to.
pub(super) fn referred(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix(REFERENCE)
}

/// A kind as extensions name it.
pub(super) fn gvk(gvk: &GroupVersionKind) -> Value {
    json!({"group": gvk.group, "kind": gvk.kind, "version": gvk.version})
}

/// The definition of the list of a resource.
pub(super) fn list(info: &ResourceInfo, list_kind: &str, kind: &str) -> Value {
    let list = info.gvr.group_version().with_kind(list_kind.to_owned());
    let mut properties = Map::new();
    for (name, description) in TYPE_META {
        properties.insert(name.to_owned(), json!({"type": "string", "description": description}));
    }
    let items = json!({"type": "array", "description": format!("The objects of kind {}.", info.kind), "items": reference(kind)});
    properties.insert("items".to_owned(), items);
    properties.insert("metadata".to_owned(), reference(LIST_META));
    json!({
        "description": format!("{list_kind} is a list of objects of kind {}.", info.kind),
        "type": "object",
        "required": ["items"],
        "properties": properties,
        GVK: [gvk(&list)],
    })
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.meta_schema = None;
        settings.definitions_path = "/definitions".into();
    });
    settings.into_generator()
}

fn finish(mut generator: SchemaGenerator) -> Definitions {
    let definitions = generator.take_definitions(false);
    let finished = definitions.into_iter().map(|(name, mut definition)| {
        if let (Some(message), Some(object)) =
            (Schema::builtin().message(&name), definition.as_object_mut())
        {
            describe(message, object);
        }
        (name, definition)
    });
    finished.collect()
}

/// Adds to a definition what the schema table knows of it.
fn describe(message: MessageRef, definition: &mut Map<String, Value>) {
    if message.atomic {
        definition.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
    }
    if message.is_kind {
        definition.insert(GVK.to_owned(), json!([gvk(&kind_of(message))]));
    }
    // What Go leaves out when it is empty is not required, whatever the generated types say.
    let required = definition.get_mut("required").and_then(Value::as_array_mut);
    if let Some(required) = required {
        required.retain(|name| {
            let field = name.as_str().and_then(|name| message.field(name));
            field.is_none_or(|field| !field.is_optional())
        });
        if required.is_empty() {
            definition.shift_remove("required");
        }
    }
    if let Some(Value::Object(properties)) = definition.get_mut("properties") {
        for (name, property) in properties {
            if let (Some(field), Some(property)) = (message.field(name), property.as_object_mut()) {
                extend(field, property);
            }
        }
    }
}

/// Adds the merge markers of a field.
fn extend(field: &Field, property: &mut Map<String, Value>) {
    let merge = &field.merge;
    let mut mark = |name: &str, value: Value| {
        property.insert(format!("x-kubernetes-{name}"), value);
    };
    match merge.list_type {
        ListType::Unset => {}
        ListType::Atomic => mark("list-type", json!("atomic")),
        ListType::Set => mark("list-type", json!("set")),
        ListType::Map => {
            mark("list-type", json!("map"));
            mark("list-map-keys", merge.list_map_keys().collect());
        }
    }
    match (merge.map_atomic, merge.map_granular) {
        (true, _) => mark("map-type", json!("atomic")),
        (_, true) => mark("map-type", json!("granular")),
        _ => {}
    }
    if let Some(strategy) = merge.patch_strategy.name() {
        mark("patch-strategy", json!(strategy));
    }
    if let Some(key) = merge.patch_merge_key {
        mark("patch-merge-key", json!(key));
    }
}

fn kind_of(message: MessageRef) -> GroupVersionKind {
    let version = Schema::builtin().group_version(message);
    version.with_kind(message.name)
}
