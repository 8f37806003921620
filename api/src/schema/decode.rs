//! From the bytes of a request to an object, checked against its schema in one pass.
//!
//! What comes out is what Kubernetes would hold after decoding into its Go types and what it would
//! write again: unknown fields are gone (and reported), nulls and empty optional values are left out,
//! values every object has are filled in, quantities and times are in canonical form, keys stand in
//! Kubernetes' order with `apiVersion`, `kind` and `metadata` first.

mod assemble;
mod context;
mod scalar;
mod visit;

use std::{borrow::Cow, str::FromStr};

use serde::{Deserialize, de::DeserializeSeed};
use serde_json::{Map, Value};
use windlass_core::scheme::{GroupVersion, GroupVersionKind};

pub(super) use assemble::{Slots, assemble};
use context::Context;
pub(crate) use context::LIMIT as MOST_STRICT;
use visit::Node;
pub(super) use visit::schema_props;

use super::{MessageRef, Schema};

/// An object that was decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The object, without the fields that are unknown.
    pub value: Value,
    /// What a strict decoder would have refused, in the order it was met:
    /// `unknown field "spec.nope"`, `duplicate field "data.key"`. At most a hundred.
    pub strict: Vec<String>,
}

/// A request body that is no object of its kind. The same bytes fail again.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is not JSON, or is nested too deeply.
    #[error("{0}")]
    Syntax(#[source] serde_json::Error),
    /// A value has the wrong type; in the words of Go's decoder.
    #[error("json: cannot unmarshal {found} into Go {} of type {expected}", place(.structure, .field))]
    Type {
        /// What stands there: `array`, `number 1.5`.
        found: String,
        /// The innermost type around it: `PodSpec`; empty at the top.
        structure: &'static str,
        /// The fields that lead to it: `spec.containers`.
        field: String,
        /// What should stand there: `[]v1.Container`.
        expected: String,
    },
    /// It is nested too deeply.
    #[error("exceeded max depth")]
    Depth,
    /// A time, a quantity or base64 that does not parse.
    #[error("{0}")]
    Value(String),
}

/// What every object says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TypeMeta {
    /// Group and version: `apps/v1`.
    pub api_version: String,
    /// The kind: `Deployment`.
    pub kind: String,
}

/// How decoding treats what Kubernetes' Go types would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A whole object: leave out and fill in.
    Object,
    /// A part of one, as someone means to apply it: keep what is there.
    Partial,
}

/// Decodes a whole object of a kind. `apiVersion` and `kind` are added if the body has none. A kind
/// that is not built in is decoded as [`schemaless`] does.
///
/// # Errors
/// If the body is not JSON, or a value does not have the type of its field.
pub fn strict(gvk: &GroupVersionKind, body: &[u8]) -> Result<Decoded, DecodeError> {
    decode(gvk, body, Mode::Object)
}

/// Decodes an apply configuration: types are checked and unknown fields reported as in [`strict`],
/// but nothing is filled in or left out, nulls excepted, since what it names is what its manager owns.
///
/// # Errors
/// If the body is not JSON, or a value does not have the type of its field.
pub fn partial(gvk: &GroupVersionKind, body: &[u8]) -> Result<Decoded, DecodeError> {
    decode(gvk, body, Mode::Partial)
}

/// Brings an object that was put together (by a patch, by defaulting) into the same form as [`strict`].
/// An object of a kind that is not built in comes back as it is.
///
/// # Errors
/// If a value does not have the type of its field.
pub fn value(gvk: &GroupVersionKind, object: Value) -> Result<Decoded, DecodeError> {
    match Schema::builtin().kind(gvk) {
        Some(message) => {
            run(message, Mode::Object, object).map(|decoded| with_type_meta(gvk, decoded))
        }
        None => Ok(with_type_meta(gvk, Decoded { value: object, strict: Vec::new() })),
    }
}

/// Decodes any object, keeping everything; duplicate fields are reported, the last one counts.
///
/// # Errors
/// If the body is not JSON, or not an object.
pub fn schemaless(body: &[u8]) -> Result<Decoded, DecodeError> {
    let mut context = Context::new(Mode::Partial);
    let mut reader = serde_json::Deserializer::from_slice(body);
    let node = Node::untyped(&mut context);
    let parsed = node.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    if let Ok(value) = &parsed {
        require_object(value)?;
    }
    finish(parsed, context)
}

/// Reads `apiVersion` and `kind` of a body and skips the rest.
///
/// # Errors
/// If the body is not a JSON object, or they are not strings.
pub fn type_meta(body: &[u8]) -> Result<TypeMeta, DecodeError> {
    serde_json::from_slice(body).map_err(DecodeError::Syntax)
}

fn decode(gvk: &GroupVersionKind, body: &[u8], mode: Mode) -> Result<Decoded, DecodeError> {
    let decoded = match Schema::builtin().kind(gvk) {
        Some(message) => {
            let mut reader = serde_json::Deserializer::from_slice(body);
            let decoded = run(message, mode, &mut reader)?;
            reader.end().map_err(DecodeError::Syntax)?;
            decoded
        }
        None => schemaless(body)?,
    };
    Ok(with_type_meta(gvk, decoded))
}

fn run<'de, D>(message: MessageRef, mode: Mode, reader: D) -> Result<Decoded, DecodeError>
where
    D: serde::Deserializer<'de, Error = serde_json::Error>,
{
    let mut context = Context::new(mode);
    let parsed = Node::message(&mut context, message).deserialize(reader);
    // Go reads null as the empty object.
    let parsed = parsed.map(|value| if value.is_null() { message.zero() } else { value });
    finish(parsed, context)
}

fn finish(
    parsed: Result<Value, serde_json::Error>,
    context: Context,
) -> Result<Decoded, DecodeError> {
    match (parsed, context.error) {
        (_, Some(error)) => Err(error),
        (Err(error), None) => Err(DecodeError::Syntax(error)),
        (Ok(value), None) => Ok(Decoded { value, strict: context.strict }),
    }
}

fn require_object(value: &Value) -> Result<(), DecodeError> {
    let found = match value {
        Value::Object(_) => return Ok(()),
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
    };
    let expected = "map[string]interface {}".to_owned();
    Err(DecodeError::Type {
        found: found.to_owned(),
        structure: "",
        field: String::new(),
        expected,
    })
}

/// Makes `apiVersion`, `kind` and `metadata` the first keys of an object.
fn with_type_meta(gvk: &GroupVersionKind, mut decoded: Decoded) -> Decoded {
    let Value::Object(object) = &mut decoded.value else { return decoded };
    let lead_keys = ["apiVersion", "kind", "metadata"];
    let expected = if object.contains_key("metadata") { &lead_keys[..] } else { &lead_keys[..2] };
    if !object.keys().take(expected.len()).eq(expected) {
        let rest = std::mem::take(object);
        *object = lead(gvk, rest);
    }
    decoded
}

fn lead(gvk: &GroupVersionKind, mut rest: Map<String, Value>) -> Map<String, Value> {
    let mut take = |key: &str| rest.shift_remove(key);
    let given = |value: Option<Value>| value.filter(|value| value.as_str() != Some(""));
    let api_version = given(take("apiVersion")).unwrap_or_else(|| Value::String(gvk.api_version()));
    let kind = given(take("kind")).unwrap_or_else(|| Value::String(gvk.kind.to_string()));
    let metadata = take("metadata").map(|metadata| ("metadata".to_owned(), metadata));
    let head = [("apiVersion".to_owned(), api_version), ("kind".to_owned(), kind)];
    head.into_iter().chain(metadata).chain(rest).collect()
}

fn place(structure: &str, field: &str) -> String {
    match structure {
        "" => "value".to_owned(),
        structure => format!("struct field {structure}.{field}"),
    }
}

// === impl Decoded ===

impl Decoded {
    /// The error a strict decoder would have given, in Kubernetes' words, if there is one.
    #[must_use]
    pub fn strict_error(&self) -> Option<String> {
        (!self.strict.is_empty())
            .then(|| format!("strict decoding error: {}", self.strict.join(", ")))
    }
}

// === impl TypeMeta ===

impl TypeMeta {
    /// The kind it names; none if one of its parts is missing or malformed.
    #[must_use]
    pub fn gvk(&self) -> Option<GroupVersionKind> {
        let version = GroupVersion::from_str(&self.api_version).ok()?;
        let complete = !self.kind.is_empty() && !version.version.is_empty();
        complete.then(|| version.with_kind(Cow::Owned(self.kind.clone())))
    }
}
