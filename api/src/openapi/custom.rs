//! Kinds that users define.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use windlass_core::scheme::ResourceInfo;

use super::definitions::{self, TYPE_META};

/// One version of a custom resource, and what is published of its schema.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomKind {
    /// What is served.
    pub info: Arc<ResourceInfo>,
    /// The kind of its lists: `CronTabList`.
    pub list_kind: String,
    /// Its `openAPIV3Schema`, as JSON; none if its objects may hold anything.
    pub schema: Option<Bytes>,
}

// === impl CustomKind ===

impl CustomKind {
    /// The definitions of the kind and of its list.
    pub(super) fn definitions(&self) -> [(String, Value); 2] {
        let kind = definitions::name(&self.info.gvk());
        [
            (kind.clone(), self.object()),
            (format!("{kind}List"), definitions::list(&self.info, &self.list_kind, &kind)),
        ]
    }

    pub(super) fn object(&self) -> Value {
        // Read each time: as bytes it is shared with the definition, as values it would be ten times as large.
        let schema = self.schema.as_deref().and_then(|schema| serde_json::from_slice(schema).ok());
        let mut object: Map<String, Value> = schema.unwrap_or_else(|| {
            Map::from_iter([
                ("type".to_owned(), json!("object")),
                ("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true)),
            ])
        });
        if let Value::Object(properties) = object.entry("properties").or_insert_with(|| json!({})) {
            for (name, description) in TYPE_META {
                properties
                    .insert(name.to_owned(), json!({"type": "string", "description": description}));
            }
            properties
                .insert("metadata".to_owned(), definitions::reference(definitions::OBJECT_META));
        }
        object.insert(definitions::GVK.to_owned(), json!([definitions::gvk(&self.info.gvk())]));
        Value::Object(object)
    }
}
