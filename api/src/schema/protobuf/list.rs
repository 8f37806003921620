//! Lists, made of items that are encoded already.

use serde_json::Value;
use windlass_core::scheme::GroupVersionKind;

use super::wire::Writer;
use super::{EncodeError, MAGIC, encode_message};
use crate::schema::Schema;

/// What stands around the items of a list in its envelope. Only the lengths of the items must be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFrame {
    /// Before the items.
    pub head: Vec<u8>,
    /// After them.
    pub tail: &'static [u8],
}

/// No content encoding, no content type.
const TAIL: &[u8] = b"\x1a\x00\x22\x00";

// === impl ListFrame ===

impl ListFrame {
    /// For items of these lengths, each of them written by [`ListFrame::item`].
    ///
    /// # Errors
    /// If the kind of the list is not built in, or `metadata` is no `ListMeta`.
    pub fn new(
        list: &GroupVersionKind,
        metadata: &Value,
        items: impl Iterator<Item = usize>,
    ) -> Result<Self, EncodeError> {
        let unknown = || EncodeError::Kind(list.clone());
        let message = Schema::builtin().kind(list).ok_or_else(unknown)?;
        let meta = message.field("metadata").and_then(|field| field.message());
        let meta = encode_message(meta.ok_or_else(unknown)?, metadata)?;
        let items: usize = items.map(|length| Self::item(length).len() + length).sum();
        let mut writer = Writer::default();
        writer.bytes(1, &meta);
        writer.prefix(2, items + writer.len());
        let before = writer.len();
        writer.bytes(2, list.kind.as_bytes());
        writer.bytes(1, list.api_version().as_bytes());
        writer.close(1, before);
        let head = [MAGIC, &writer.into_bytes()].concat();
        Ok(Self { head, tail: TAIL })
    }

    /// What stands before an item of a length.
    #[must_use]
    pub fn item(length: usize) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.prefix(2, length);
        writer.into_bytes()
    }
}
