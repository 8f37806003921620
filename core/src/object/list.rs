//! Lists.

use super::Object;
use crate::error::{Error, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;

/// Objects with the version of the whole.
#[derive(Clone, Debug, Default)]
pub struct ObjectList {
    /// About the list.
    pub meta: ListMeta,
    /// The objects, in the order of namespace and name.
    pub items: Vec<Arc<Object>>,
}

/// `metav1.ListMeta`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListMeta {
    /// Ask with this token for what comes after; empty at the end.
    #[serde(rename = "continue", skip_serializing_if = "String::is_empty")]
    pub continue_token: String,
    /// How many more there are, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_item_count: Option<u64>,
    /// The version at which the list is complete: watch from here.
    pub resource_version: String,
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

impl ObjectList {
    /// A list from its JSON. The items share its bytes.
    ///
    /// # Errors
    /// When it is no list of objects.
    pub fn from_wire(json: &Bytes) -> Result<Self> {
        let raw: Raw<'_> =
            serde_json::from_slice(json).map_err(|error| Error::decode("list", error))?;
        let item =
            |raw: &RawValue| Object::from_wire(json.slice_ref(raw.get().as_bytes())).map(Arc::new);
        let items = raw.items.unwrap_or_default().into_iter().map(item).collect::<Result<_>>()?;
        Ok(Self { meta: raw.metadata, items })
    }
}
