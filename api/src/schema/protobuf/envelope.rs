//! The envelope of an object: magic and `runtime.Unknown`.

use windlass_core::scheme::GroupVersionKind;

use super::{
    DecodeError,
    wire::{Reader, Writer},
};
use crate::schema::decode::TypeMeta;

/// What every protobuf object starts with.
pub const MAGIC: &[u8] = b"k8s\0";

/// The media type of an enveloped object.
pub const CONTENT_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// An opened envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// The kind inside.
    pub type_meta: TypeMeta,
    /// The message of that kind.
    pub raw: &'a [u8],
}

/// Puts the message of a kind into an envelope.
#[must_use]
pub fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(4, b"");
    writer.bytes(3, b"");
    writer.bytes(2, raw);
    let before = writer.len();
    writer.bytes(2, kind.as_bytes());
    writer.bytes(1, api_version.as_bytes());
    writer.close(1, before);
    let mut bytes = MAGIC.to_vec();
    bytes.append(&mut writer.into_bytes());
    bytes
}

/// Opens an envelope.
///
/// # Errors
/// If the bytes do not start with [`MAGIC`], or what follows is malformed.
pub fn open(bytes: &[u8]) -> Result<Unknown<'_>, DecodeError> {
    let mut reader = Reader::new(bytes.strip_prefix(MAGIC).ok_or(DecodeError::Magic)?);
    let mut unknown = Unknown::default();
    while let Some((number, value)) = reader.next()? {
        match number {
            1 => unknown.type_meta = type_meta(value.as_bytes()?)?,
            2 => unknown.raw = value.as_bytes()?,
            _ => {}
        }
    }
    Ok(unknown)
}

fn type_meta(bytes: &[u8]) -> Result<TypeMeta, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut meta = TypeMeta::default();
    while let Some((number, value)) = reader.next()? {
        match number {
            1 => meta.api_version = value.as_str()?.to_owned(),
            2 => meta.kind = value.as_str()?.to_owned(),
            _ => {}
        }
    }
    Ok(meta)
}

// === impl Unknown ===

impl Unknown<'_> {
    /// The kind inside, if the envelope names one.
    #[must_use]
    pub fn gvk(&self) -> Option<GroupVersionKind> {
        self.type_meta.gvk()
    }
}
