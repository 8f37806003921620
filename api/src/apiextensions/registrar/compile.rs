//! The schemas of a definition's versions, compiled.

use crate::apiextensions::custom::Schema;
use crate::apiextensions::definition::{Definition, Version};
use crate::apiextensions::schema::StructuralSchema;
use crate::validation::Path;
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;
use windlass_core::Object;

/// Schemas that are longer together are compiled where nobody waits behind them. (Others take a millisecond or so;
/// and what is kept of them then lies among other things, not scattered over the memory of many threads.)
const SHORT: usize = 64 << 10;

/// The schema of a version, as it is written and as it is used.
#[derive(Clone)]
pub(super) struct Compiled {
    pub(super) version: String,
    pub(super) text: Option<Bytes>,
    pub(super) schema: Schema,
    /// What is wrong with it.
    faults: Vec<String>,
}

// === impl Compiled ===

impl Compiled {
    /// A text may be there only to be shown.
    fn is_compiled(&self) -> bool {
        self.text.is_none() || self.schema.is_some() || !self.faults.is_empty()
    }
}

/// Compiles what takes long on a thread of its own, before anybody holds a lock for it.
pub(super) async fn ahead(texts: Vec<Bytes>) -> Vec<Compiled> {
    if texts.iter().map(Bytes::len).sum::<usize>() <= SHORT {
        return Vec::new();
    }
    let compile = || texts.into_iter().map(|text| compiled("", Some(text))).collect();
    // One that could not be compiled here is compiled, and fails, where it is needed.
    tokio::task::spawn_blocking(compile).await.unwrap_or_default()
}

/// The schemas of all versions, and what is wrong with them. Those that are written as one that is known, or as that
/// of another version, are not compiled again.
pub(super) fn all<'k>(
    object: &Object,
    definition: &Definition<'_>,
    known: impl Iterator<Item = &'k Compiled> + Clone,
) -> (Vec<Compiled>, String) {
    let mut all: Vec<Compiled> = Vec::new();
    for version in &definition.spec.versions {
        let text = text(object, version);
        let wanted = text.clone().filter(|_| !definition.spec.preserve_unknown_fields);
        let same = |one: &&Compiled| one.text == wanted && one.is_compiled();
        let found = all.iter().find(same).or_else(|| known.clone().find(same));
        let found = found.map(|one| Compiled { version: version.name.clone(), ..one.clone() });
        let mut one = found.unwrap_or_else(|| compiled(&version.name, wanted));
        // As part of this object, so that those before it can go.
        one.text = text;
        all.push(one);
    }
    let mut faults: Vec<&str> = all.iter().flat_map(|one| &one.faults).map(|it| &**it).collect();
    faults.dedup();
    let faults = faults.join(", ");
    (all, faults)
}

/// The schema of a version, as it is written: part of the bytes of the definition.
pub(super) fn text(object: &Object, version: &Version<'_>) -> Option<Bytes> {
    let text = version.schema.as_ref().and_then(|schema| schema.schema);
    text.map(|text| object.stored().slice_ref(text.get().as_bytes()))
}

fn compiled(version: &str, text: Option<Bytes>) -> Compiled {
    let version = version.to_owned();
    let Some(text) = text else {
        return Compiled { version, text, schema: None, faults: Vec::new() };
    };
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    let at = Path::new("spec.validation.openAPIV3Schema");
    let (schema, faults) = match StructuralSchema::compile(&value, &at) {
        Ok(schema) => (Some(Arc::new(schema)), Vec::new()),
        Err(errors) => (None, errors.iter().map(ToString::to_string).collect()),
    };
    Compiled { version, text: Some(text), schema, faults }
}
