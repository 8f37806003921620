//! An object as it travels and rests: its wire bytes and a compact header, shared as `Arc`.
//!
//! Who needs more than the header asks for a view: [`Object::view`] decodes a small struct with
//! just the fields it names, or a full typed kind, straight from the bytes.

mod header;
mod list;
mod wire;

pub use header::{Header, Labels, Owner};
pub use list::{ListMeta, ObjectList};
pub use wire::canonical;

use crate::error::{Error, Result};
use bytes::{BufMut, Bytes};
use serde::de::DeserializeOwned;

/// What can be decoded from an object: small structs and the full typed kinds alike.
pub trait View: DeserializeOwned + Send + Sync + 'static {}

impl<T: DeserializeOwned + Send + Sync + 'static> View for T {}

/// One version of an object. Immutable; the bytes are shared with the store they came from.
/// `Debug` shows which object it is, not what is in it: that may be a secret.
#[derive(Clone)]
pub struct Object {
    header: Header,
    json: Bytes,
    splice: Option<u32>,
}

impl Object {
    /// An object from its JSON as a server sent it, resource version included.
    ///
    /// # Errors
    /// When it is no JSON object with `metadata`.
    pub fn from_wire(json: Bytes) -> Result<Self> {
        let header = Header::read(&json)?;
        Ok(Self { header, json, splice: None })
    }

    /// An object from stored bytes: canonical JSON (see [`canonical`]) without a resource version,
    /// which is the revision it was stored at. The bytes are kept, not copied, and read up to the end of the metadata:
    /// what is wrong behind that shows in views and, if they were cut off, in [`Object::is_whole`].
    ///
    /// # Errors
    /// When the bytes are not canonical.
    pub fn from_stored(json: Bytes, version: u64) -> Result<Self> {
        let splice = wire::splice_point(&json).ok_or_else(|| {
            Error::decode("stored object", "its JSON is not in the canonical order")
        })?;
        let header = Header::read_canonical(&json, splice as usize)?;
        let header = Header { resource_version: version, ..header };
        Ok(Self { header, json, splice: Some(splice) })
    }

    /// Whether its JSON ends where the object does: bytes that were cut off don't. Costs about a nanosecond a byte.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        wire::is_whole(&self.json)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.header.name
    }

    /// `metadata.namespace`, empty for objects of the cluster.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.header.namespace
    }

    /// `metadata.resourceVersion` as a number; 0 when the server's is none.
    #[must_use]
    pub fn resource_version(&self) -> u64 {
        self.header.resource_version
    }

    /// Decodes a view. Costs one pass over the bytes: microseconds.
    ///
    /// # Errors
    /// When a field has another type than the view expects.
    pub fn view<T: View>(&self) -> Result<T> {
        let context = || format!("{} {}/{}", self.header.kind, self.namespace(), self.name());
        match self.splice {
            None => serde_json::from_slice(&self.json),
            Some(_) => wire::with_scratch(self, |json| serde_json::from_slice(json)),
        }
        .map_err(|error| Error::decode(context(), error))
    }

    /// The wire form in pieces that share the object's bytes: written one after the other they are
    /// the JSON with the resource version in its place.
    #[must_use]
    pub fn chunks(&self) -> [Bytes; 3] {
        wire::chunks(self)
    }

    /// The wire form in one piece. Copies; where pieces will do use [`Object::chunks`].
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        match self.splice {
            None => self.json.clone(),
            Some(_) => wire::with_scratch(self, Bytes::copy_from_slice),
        }
    }

    /// The length of the wire form.
    #[must_use]
    pub fn wire_len(&self) -> usize {
        wire::len(self)
    }

    /// Writes the wire form behind what `out` has already. Allocates nothing itself.
    pub fn put_wire(&self, out: &mut impl BufMut) {
        wire::put(self, out);
    }

    /// The bytes as stored, without the resource version.
    #[must_use]
    pub fn stored(&self) -> &Bytes {
        &self.json
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object")
            .field("kind", &self.header.kind)
            .field("name", &self.header.full_name())
            .field("resource_version", &self.header.resource_version)
            .field("bytes", &self.json.len())
            .finish()
    }
}

#[cfg(test)]
mod tests;
