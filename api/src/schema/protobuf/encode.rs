//! From JSON to the wire.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use std::borrow::Cow;

use super::tree::{Members, Tree};
use super::{EncodeError, special, wire::Writer};
use crate::schema::{Cardinality, Field, Message, Schema, Type};

/// Writes a message; without members, as Go writes its zero value.
pub(super) fn message(
    writer: &mut Writer,
    message: &Message,
    members: Option<&Members<'_>>,
) -> Result<(), EncodeError> {
    for &place in message.by_number.iter().rev() {
        let field = &message.own[usize::from(place)];
        let value = members.filter(|_| !field.flags.inline).and_then(|all| all.get(field));
        let written = match (field.flags.inline, field.ty) {
            (true, Type::Message(index)) => nested(writer, field.number, |writer| {
                Ok(self::message(writer, part(index), members)?)
            }),
            _ => many(writer, field, value),
        };
        written.map_err(|error| error.at(message, field))?;
    }
    Ok(())
}

fn many(writer: &mut Writer, field: &Field, value: Option<&Tree<'_>>) -> Result<(), Error> {
    match (field.cardinality, value) {
        (Cardinality::One, Some(value)) => one(writer, field.number, field.ty, value),
        (Cardinality::One, None) if !field.flags.pointer => zero(writer, field.number, field.ty),
        (_, None) => Ok(()),
        (Cardinality::List, Some(Tree::List(list))) => {
            list.iter().rev().try_for_each(|value| one(writer, field.number, field.ty, value))
        }
        (Cardinality::Map, Some(Tree::Map(map))) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            entries.into_iter().rev().try_for_each(|(key, value)| {
                nested(writer, field.number, |writer| {
                    one(writer, 2, field.ty, value)?;
                    writer.bytes(1, key.as_bytes());
                    Ok(())
                })
            })
        }
        _ => Err(Error::Reason("not a list or a map".to_owned())),
    }
}

fn one(writer: &mut Writer, number: u32, ty: Type, value: &Tree<'_>) -> Result<(), Error> {
    match ty {
        // A null among elements is Go's zero value.
        _ if matches!(value, Tree::Null) => return zero(writer, number, ty),
        Type::String => writer.bytes(number, text(value)?.as_bytes()),
        Type::Bytes => {
            let bytes =
                STANDARD.decode(text(value)?).map_err(|error| Error::Reason(error.to_string()))?;
            writer.bytes(number, &bytes);
        }
        Type::Int32 | Type::Int64 => writer.varint(number, integer(value)?.cast_unsigned()),
        Type::Bool => match value {
            Tree::Bool(truth) => writer.varint(number, u64::from(*truth)),
            other => return Err(wanted("a boolean", other)),
        },
        Type::Double => writer.fixed64(number, float(value)?.to_bits()),
        Type::Message(index) => {
            let Tree::Message(members) = value else { return Err(wanted("an object", value)) };
            return nested(writer, number, |writer| {
                Ok(message(writer, part(index), Some(members))?)
            });
        }
        ty => return nested(writer, number, |writer| special::encode(writer, ty, value)),
    }
    Ok(())
}

/// What Go writes for a field that is no pointer and was not set.
fn zero(writer: &mut Writer, number: u32, ty: Type) -> Result<(), Error> {
    let empty = Tree::Text(Cow::Borrowed(""));
    match ty {
        Type::String => one(writer, number, ty, &empty),
        Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => {
            one(writer, number, ty, &Tree::Int(0))
        }
        Type::Bool => one(writer, number, ty, &Tree::Bool(false)),
        Type::Quantity => one(writer, number, ty, &Tree::Text(Cow::Borrowed("0"))),
        Type::Message(index) => {
            nested(writer, number, |writer| Ok(message(writer, part(index), None)?))
        }
        Type::Time | Type::MicroTime | Type::RawExtension | Type::FieldsV1 | Type::Json => {
            nested(writer, number, |_| Ok(()))
        }
        Type::Bytes
        | Type::StringList
        | Type::SchemaOrArray
        | Type::SchemaOrBool
        | Type::SchemaOrStrings => Ok(()),
    }
}

/// Writes a field whose value is written by `inner`.
pub(super) fn nested(
    writer: &mut Writer,
    number: u32,
    inner: impl FnOnce(&mut Writer) -> Result<(), Error>,
) -> Result<(), Error> {
    let before = writer.len();
    inner(writer)?;
    writer.close(number, before);
    Ok(())
}

pub(super) fn text<'t>(value: &'t Tree<'_>) -> Result<&'t str, Error> {
    match value {
        Tree::Text(text) => Ok(text),
        other => Err(wanted("a string", other)),
    }
}

pub(super) fn integer(value: &Tree<'_>) -> Result<i64, Error> {
    match value {
        Tree::Int(number) => Ok(*number),
        other => Err(wanted("a whole number", other)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as any reader of JSON has it")]
fn float(value: &Tree<'_>) -> Result<f64, Error> {
    match value {
        Tree::Int(number) => Ok(*number as f64),
        Tree::Float(number) => Ok(*number),
        other => Err(wanted("a number", other)),
    }
}

pub(super) fn wanted(what: &str, value: &Tree<'_>) -> Error {
    let found = match value {
        Tree::Null => "null",
        Tree::Bool(_) => "a boolean",
        Tree::Int(_) | Tree::Float(_) => "a number",
        Tree::Text(_) => "a string",
        Tree::List(_) => "a list",
        Tree::Map(_) | Tree::Message(_) | Tree::Object => "an object",
        Tree::Raw(_) => "anything",
    };
    Error::Reason(format!("{found} where {what} belongs"))
}

fn part(index: u16) -> &'static Message {
    Schema::builtin().message_at(index)
}

/// An error on its way up to the field it belongs to.
#[derive(Debug)]
pub(super) enum Error {
    /// Why the value cannot be written.
    Reason(String),
    /// The same, with the place.
    Placed(EncodeError),
}

// === impl Error ===

impl Error {
    fn at(self, message: &Message, field: &Field) -> EncodeError {
        match self {
            Self::Placed(error) => error,
            Self::Reason(reason) => {
                EncodeError::Field { message: message.name, field: field.name, reason }
            }
        }
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        Self::Placed(error)
    }
}
