//! A resource as storage sees it.

use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::{Str, intern};
use windlass_core::scheme::GroupVersionResource;
use windlass_store::KeyRange;

const ROOT: &str = "/registry/";

/// Reads fields that may be selected by. `metadata.name` and `metadata.namespace` are not asked for.
pub trait Fields: Send + Sync {
    /// The value of a field; none when the kind has no such field to select by.
    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>>;
}

/// One resource's place in the store.
pub struct Resource {
    /// All its keys start with this.
    pub prefix: Bytes,
    /// Its name, in the version it is stored in.
    pub gvr: GroupVersionResource,
    /// A field that many watch by, kept beside each object.
    pub index: Option<&'static str>,
    fields: Arc<dyn Fields>,
}

// === impl Resource ===

impl Resource {
    /// The place of a resource. `index` names a field that is worth keeping at hand.
    pub fn new(
        gvr: GroupVersionResource,
        index: Option<&'static str>,
        fields: Arc<dyn Fields>,
    ) -> Self {
        Self { prefix: prefix(&gvr.group, &gvr.resource).into(), gvr, index, fields }
    }

    /// The key of an object.
    #[must_use]
    pub fn key(&self, namespace: Option<&str>, name: &str) -> Bytes {
        let mut key = Vec::with_capacity(self.prefix.len() + name.len() + 64);
        key.extend_from_slice(&self.prefix);
        if let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) {
            key.extend_from_slice(namespace.as_bytes());
            key.push(b'/');
        }
        key.extend_from_slice(name.as_bytes());
        key.into()
    }

    /// The keys of a namespace, or all.
    #[must_use]
    pub fn range(&self, namespace: Option<&str>) -> KeyRange {
        match namespace {
            Some(namespace) => KeyRange::prefix(self.key(Some(namespace), "")),
            None => KeyRange::prefix(self.prefix.clone()),
        }
    }

    /// The value of a field of an object; one that is not there is empty.
    #[must_use]
    pub fn field<'a>(&self, object: &'a Object, name: &str) -> Cow<'a, str> {
        match name {
            "metadata.name" => object.name().into(),
            "metadata.namespace" => object.namespace().into(),
            _ => self.fields.field(object, name).unwrap_or_default(),
        }
    }

    /// The value of the field that is kept at hand.
    pub(super) fn indexed(&self, object: &Object) -> Option<Str> {
        self.index.map(|name| intern(&self.field(object, name)))
    }

    /// The prefix of the resource that a key belongs to.
    pub(super) fn prefix_of(key: &[u8]) -> Option<&[u8]> {
        let rest = key.strip_prefix(ROOT.as_bytes())?;
        let mut slashes = rest.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let (second, _) = slashes.nth(1)?;
        Some(&key[..=ROOT.len() + second])
    }

    /// All keys that objects have.
    pub(super) fn everything() -> KeyRange {
        KeyRange::prefix(ROOT)
    }
}

/// `/registry/{group}/{resource}/`; the group without a name is `core`.
pub(crate) fn prefix(group: &str, resource: &str) -> String {
    let group = if group.is_empty() { "core" } else { group };
    format!("{ROOT}{group}/{resource}/")
}
