//! What other servers publish of the group versions they serve behind this one.

use super::{Definitions, Document, Swagger, definitions, v3};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use windlass_core::scheme::GroupVersion;

/// The documents of one group version.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) v3: Arc<Document>,
    pub(super) swagger: Option<Swagger>,
}

// === impl Remote ===

impl Remote {
    /// From the document of the version, and one in Swagger 2.0 of whatever the server has. Definitions that are
    /// `taken` are left out.
    pub(super) fn new(
        version: &GroupVersion,
        v3: &[u8],
        v2: Option<&[u8]>,
        taken: &Definitions,
    ) -> Result<Self, serde_json::Error> {
        // Passed on as it is, once it is known to be a document at all.
        serde_json::from_slice::<serde::de::IgnoredAny>(v3)?;
        let swagger = v2.map(serde_json::from_slice).transpose()?;
        let swagger = swagger.map(|document| Swagger::part(part(version, document, taken)));
        Ok(Self { v3: Arc::new(Document::new("application/json", v3)), swagger })
    }
}

/// What of a document is about a group version.
fn part(version: &GroupVersion, mut document: Value, taken: &Definitions) -> Value {
    let prefix = version.path();
    let is_below = |path: &str| {
        path.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let take = |document: &mut Value, key: &str| match document[key].take() {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let mut paths = take(&mut document, "paths");
    paths.retain(|path, _| is_below(path));
    let mut all = take(&mut document, "definitions");
    // All that the paths refer to.
    let paths = all.entry("").or_insert(Value::Object(paths)).clone();
    let mut needed = BTreeSet::new();
    v3::collect("", &all, &mut needed);
    let own = all.iter().filter(|(_, value)| is_of(value, version)).map(|(name, _)| name.as_str());
    own.for_each(|name| v3::collect(name, &all, &mut needed));
    let needed: BTreeSet<String> = needed.into_iter().map(str::to_owned).collect();
    all.retain(|name, _| !name.is_empty() && needed.contains(name) && !taken.contains_key(name));
    json!({"paths": paths, "definitions": all})
}

/// Whether a definition is that of a kind of the version.
fn is_of(definition: &Value, version: &GroupVersion) -> bool {
    let kinds = definition[definitions::GVK].as_array();
    kinds.into_iter().flatten().any(|kind| {
        kind["group"] == version.group.as_ref() && kind["version"] == version.version.as_ref()
    })
}
