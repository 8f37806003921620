//! The part of an object that is always decoded.

use crate::error::{Error, Result};
use crate::meta::{Str, intern};
use crate::scheme::GroupVersionKind;
use serde::Deserialize;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Labels or annotations in the order of their keys.
pub type Labels = Box<[(Str, Str)]>;

/// What caches, selectors, the garbage collector and controllers need of each object.
#[derive(Clone, Debug)]
pub struct Header {
    /// `apiVersion`; empty for items of a list that leave it out.
    pub api_version: Str,
    /// `kind`; empty for items of a list that leave it out.
    pub kind: Str,
    /// `metadata.name`.
    pub name: Box<str>,
    /// `metadata.namespace`, empty for objects of the cluster.
    pub namespace: Str,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`, 0 when it is none.
    pub resource_version: u64,
    /// `metadata.generation`, 0 when the kind has none.
    pub generation: i64,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.ownerReferences`.
    pub owners: Box<[Owner]>,
    /// `metadata.finalizers`.
    pub finalizers: Box<[Str]>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deleting: bool,
}

/// One of an object's owners.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Its API version.
    #[serde(deserialize_with = "interned")]
    pub api_version: Str,
    /// Its kind.
    #[serde(deserialize_with = "interned")]
    pub kind: Str,
    /// Its name.
    pub name: Box<str>,
    /// Its uid.
    pub uid: Box<str>,
    /// It manages the object.
    #[serde(default)]
    pub controller: bool,
    /// It can't go before the object (foreground deletion).
    #[serde(default)]
    pub block_owner_deletion: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    metadata: RawMeta<'a>,
}

/// What stands before the metadata.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct RawMeta<'a> {
    name: Box<str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    uid: Box<str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    generation: i64,
    #[serde(borrow)]
    labels: Option<BTreeMap<Cow<'a, str>, Cow<'a, str>>>,
    owner_references: Option<Box<[Owner]>>,
    #[serde(borrow)]
    finalizers: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    deletion_timestamp: Option<Cow<'a, str>>,
}

// === impl Owner ===

impl Owner {
    /// Whether it is of this kind, in any version.
    #[must_use]
    pub fn is_of(&self, gvk: &GroupVersionKind) -> bool {
        let group = self.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        *self.kind == *gvk.kind && *group == *gvk.group
    }
}

// === impl Header ===

impl Header {
    pub(super) fn read(json: &[u8]) -> Result<Self> {
        let Raw { api_version, kind, metadata } =
            serde_json::from_slice(json).map_err(|error| Error::decode("object", error))?;
        Ok(Self::of(&api_version, &kind, metadata))
    }

    /// The header of canonical JSON whose metadata begins at a place. What comes after the metadata, mostly the
    /// greater part, is not looked at.
    pub(super) fn read_canonical(json: &[u8], metadata: usize) -> Result<Self> {
        let failed = |error| Error::decode("stored object", error);
        let mut start: SmallVec<[u8; 128]> = SmallVec::from_slice(&json[..metadata]);
        start.extend_from_slice(b"}}");
        let kind: Start<'_> = serde_json::from_slice(&start).map_err(failed)?;
        let mut rest = serde_json::Deserializer::from_slice(&json[metadata - 1..]);
        let metadata = RawMeta::deserialize(&mut rest).map_err(failed)?;
        Ok(Self::of(&kind.api_version, &kind.kind, metadata))
    }

    fn of(api_version: &str, kind: &str, meta: RawMeta<'_>) -> Self {
        let labels = meta.labels.unwrap_or_default();
        let finalizers = meta.finalizers.unwrap_or_default();
        Self {
            api_version: intern(api_version),
            kind: intern(kind),
            name: meta.name,
            namespace: intern(&meta.namespace),
            uid: meta.uid,
            resource_version: meta.resource_version.parse().unwrap_or(0),
            generation: meta.generation,
            labels: labels.iter().map(|(key, value)| (intern(key), intern(value))).collect(),
            owners: meta.owner_references.unwrap_or_default(),
            finalizers: finalizers.iter().map(|f| intern(f)).collect(),
            deleting: meta.deletion_timestamp.is_some(),
        }
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| &**name == key).map(|(_, value)| &**value)
    }

    /// The owner that manages the object.
    #[must_use]
    pub fn controller(&self) -> Option<&Owner> {
        self.owners.iter().find(|owner| owner.controller)
    }

    /// `namespace/name`, or the name alone for an object of the cluster.
    #[must_use]
    pub fn full_name(&self) -> String {
        match &*self.namespace {
            "" => self.name.to_string(),
            namespace => format!("{namespace}/{}", self.name),
        }
    }
}

fn interned<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Str, D::Error> {
    Ok(intern(&Cow::<str>::deserialize(deserializer)?))
}
