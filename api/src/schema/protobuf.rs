//! Kubernetes' protobuf encoding, driven by the table.
//!
//! An object travels as the magic `k8s\0` and a `runtime.Unknown`: `apiVersion` and `kind`, then the
//! message of the kind as bytes. Messages are proto2 as Kubernetes writes it: fields by number, values
//! that Go declares without a pointer always present, map entries by key. What is decoded is what
//! [`decode::strict`](super::decode::strict) gives for the same object in JSON.

mod decode;
mod encode;
mod envelope;
mod list;
mod special;
#[cfg(test)]
mod tests;
mod tree;
mod watch;
pub(crate) mod wire;

use serde::de::DeserializeSeed;
use serde_json::Value;
use windlass_core::scheme::GroupVersionKind;

pub use envelope::{CONTENT_TYPE, MAGIC, Unknown, envelope, open};
pub use list::ListFrame;
pub use watch::{next_frame, watch_frame};

use super::{MessageRef, Schema};

/// An object that cannot be written in protobuf.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The kind is not built in; Kubernetes has no protobuf for it either.
    #[error("object of kind {0:?} does not implement the protobuf marshalling interface")]
    Kind(GroupVersionKind),
    /// A value does not have the type of its field.
    #[error("field {field} of {message} cannot be written in protobuf: {reason}")]
    Field {
        /// The message that has the field.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// What is wrong with the value.
        reason: String,
    },
    /// What is to be written is no JSON.
    #[error("the object is no JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Bytes that are no protobuf object. The same bytes fail again.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// They do not start with `k8s\0`.
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    Magic,
    /// The kind is not built in.
    #[error("no kind {0:?} is registered for protobuf")]
    Kind(GroupVersionKind),
    /// The bytes end early.
    #[error("unexpected EOF")]
    Truncated,
    /// A tag, a length or a value is malformed.
    #[error("proto: {0}")]
    Malformed(String),
}

/// Encodes an object of a built-in kind, in its envelope.
///
/// # Errors
/// If the kind is not built in, or a value does not have the type of its field.
pub fn encode(gvk: &GroupVersionKind, object: &Value) -> Result<Vec<u8>, EncodeError> {
    let message = Schema::builtin().kind(gvk).ok_or_else(|| EncodeError::Kind(gvk.clone()))?;
    Ok(envelope(&gvk.api_version(), &gvk.kind, &encode_message(message, object)?))
}

/// Encodes a message without an envelope.
///
/// # Errors
/// If a value does not have the type of its field.
pub fn encode_message(message: MessageRef, object: &Value) -> Result<Vec<u8>, EncodeError> {
    write(message, object, 0)
}

/// Encodes a message that is written in JSON, without an envelope. Much less work than by way of a [`Value`].
///
/// # Errors
/// If it is no JSON, or a value does not have the type of its field.
pub fn transcode(message: MessageRef, json: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let mut text = serde_json::Deserializer::from_slice(json);
    write(message, &mut text, json.len())
}

/// Encodes an object of a built-in kind that is written in JSON, in its envelope.
///
/// # Errors
/// If the kind is not built in, it is no JSON, or a value does not have the type of its field.
pub fn transcode_object(gvk: &GroupVersionKind, json: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let message = Schema::builtin().kind(gvk).ok_or_else(|| EncodeError::Kind(gvk.clone()))?;
    Ok(envelope(&gvk.api_version(), &gvk.kind, &transcode(message, json)?))
}

fn write<'de, D>(message: MessageRef, object: D, room: usize) -> Result<Vec<u8>, EncodeError>
where
    D: serde::Deserializer<'de, Error = serde_json::Error>,
{
    let tree = tree::Seed::Root(message).deserialize(object)?;
    let members = match &tree {
        tree::Tree::Message(members) => Some(members),
        _ => None,
    };
    let mut writer = wire::Writer::with_room(room);
    encode::message(&mut writer, message, members)?;
    Ok(writer.into_bytes())
}

/// Decodes an enveloped object. If the envelope names no kind it is `default`.
///
/// # Errors
/// If the bytes are no envelope, the kind is not built in, or the message is malformed.
pub fn decode(
    default: Option<&GroupVersionKind>,
    bytes: &[u8],
) -> Result<(GroupVersionKind, Value), DecodeError> {
    let unknown = open(bytes)?;
    let gvk = match (unknown.gvk(), default) {
        (Some(gvk), _) => gvk,
        (None, Some(default)) => default.clone(),
        (None, None) => {
            return Err(DecodeError::Malformed("the envelope names no kind".to_owned()));
        }
    };
    let message = Schema::builtin().kind(&gvk).ok_or_else(|| DecodeError::Kind(gvk.clone()))?;
    let value = decode::object(message, Some(&gvk), unknown.raw)?;
    Ok((gvk, value))
}

/// Decodes a message without an envelope.
///
/// # Errors
/// If the message is malformed.
pub fn decode_message(message: MessageRef, bytes: &[u8]) -> Result<Value, DecodeError> {
    decode::object(message, None, bytes)
}
