//! From JSON to the wire.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::{EncodeError, special, wire::Writer};
use crate::schema::{Cardinality, Field, Message, Schema, Type};

type Object = Map<String, Value>;

/// Writes a message; without an object, as Go writes its zero value.
pub(super) fn message(
    writer: &mut Writer,
    message: &Message,
    object: Option<&Object>,
) -> Result<(), EncodeError> {
    for &place in message.by_number.iter().rev() {
        let field = &message.own[usize::from(place)];
        let value = match field.flags.inline {
            true => None,
            false => {
                object.and_then(|object| object.get(field.name)).filter(|value| !value.is_null())
            }
        };
        let written = match (field.flags.inline, field.ty) {
            (true, Type::Message(index)) => nested(writer, field.number, |writer| {
                Ok(self::message(writer, part(index), object)?)
            }),
            _ => many(writer, field, value),
        };
        written.map_err(|error| error.at(message, field))?;
    }
    Ok(())
}

fn many(writer: &mut Writer, field: &Field, value: Option<&Value>) -> Result<(), Error> {
    match (field.cardinality, value) {
        (Cardinality::One, Some(value)) => one(writer, field.number, field.ty, value),
        (Cardinality::One, None) if !field.flags.pointer => zero(writer, field.number, field.ty),
        (_, None) => Ok(()),
        (Cardinality::List, Some(Value::Array(list))) => {
            list.iter().rev().try_for_each(|value| one(writer, field.number, field.ty, value))
        }
        (Cardinality::Map, Some(Value::Object(map))) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|&(key, _)| key);
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

fn one(writer: &mut Writer, number: u32, ty: Type, value: &Value) -> Result<(), Error> {
    match ty {
        // A null among elements is Go's zero value.
        _ if value.is_null() => return zero(writer, number, ty),
        Type::String => writer.bytes(number, text(value)?.as_bytes()),
        Type::Bytes => {
            let bytes =
                STANDARD.decode(text(value)?).map_err(|error| Error::Reason(error.to_string()))?;
            writer.bytes(number, &bytes);
        }
        Type::Int32 | Type::Int64 => writer.varint(number, integer(value)?.cast_unsigned()),
        Type::Bool => {
            let truth = value.as_bool().ok_or_else(|| wanted("a boolean", value))?;
            writer.varint(number, u64::from(truth));
        }
        Type::Double => {
            let float = value.as_f64().ok_or_else(|| wanted("a number", value))?;
            writer.fixed64(number, float.to_bits());
        }
        Type::Message(index) => {
            let object = value.as_object().ok_or_else(|| wanted("an object", value))?;
            return nested(writer, number, |writer| {
                Ok(message(writer, part(index), Some(object))?)
            });
        }
        ty => return nested(writer, number, |writer| special::encode(writer, ty, value)),
    }
    Ok(())
}

/// What Go writes for a field that is no pointer and was not set.
fn zero(writer: &mut Writer, number: u32, ty: Type) -> Result<(), Error> {
    match ty {
        Type::Bytes => Ok(()),
        Type::Time | Type::MicroTime | Type::RawExtension | Type::FieldsV1 | Type::Json => {
            nested(writer, number, |_| Ok(()))
        }
        Type::Message(index) => {
            nested(writer, number, |writer| Ok(message(writer, part(index), None)?))
        }
        ty => one(writer, number, ty, &ty.zero()),
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

pub(super) fn text(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| wanted("a string", value))
}

pub(super) fn integer(value: &Value) -> Result<i64, Error> {
    value.as_i64().ok_or_else(|| wanted("a whole number", value))
}

pub(super) fn wanted(what: &str, value: &Value) -> Error {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
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
