//! The types whose protobuf is unlike their JSON.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    DecodeError,
    decode::{self, Depth},
    encode::{self, Error, integer, nested, text, wanted},
    envelope,
    tree::Tree,
    wire::{Reader, WireValue, Writer},
};
use crate::schema::{MessageRef, Type, quantity, time};

/// Writes the inside of a value.
pub(super) fn encode(writer: &mut Writer, ty: Type, value: &Tree<'_>) -> Result<(), Error> {
    match (ty, value) {
        (Type::Time | Type::MicroTime, value) => timestamp(writer, ty, text(value)?)?,
        (Type::Quantity, value) => writer.bytes(1, text(value)?.as_bytes()),
        (Type::IntOrString, value) => int_or_string(writer, value)?,
        (Type::RawExtension | Type::FieldsV1 | Type::Json, Tree::Raw(json)) => {
            writer.bytes(1, json.get().as_bytes());
        }
        (Type::StringList, value) => strings(writer, 1, value)?,
        (Type::SchemaOrArray, Tree::List(schemas)) => {
            schemas.iter().rev().try_for_each(|value| schema(writer, 2, value))?;
        }
        (Type::SchemaOrArray, value) => schema(writer, 1, value)?,
        (Type::SchemaOrBool, Tree::Bool(truth)) => writer.varint(1, u64::from(*truth)),
        (Type::SchemaOrBool, value) => {
            schema(writer, 2, value)?;
            writer.varint(1, 1);
        }
        (Type::SchemaOrStrings, value @ Tree::List(_)) => strings(writer, 2, value)?,
        (Type::SchemaOrStrings, value) => schema(writer, 1, value)?,
        (other, _) => return Err(Error::Reason(format!("{other:?} is no message"))),
    }
    Ok(())
}

/// Reads the inside of a value; none stands for null.
pub(super) fn decode(ty: Type, bytes: &[u8], depth: Depth) -> Result<Option<Value>, DecodeError> {
    let fields = Fields::read(bytes)?;
    Ok(match ty {
        Type::Time | Type::MicroTime => read_timestamp(ty, bytes)?,
        Type::Quantity => Some(Value::String(read_quantity(&fields)?)),
        Type::IntOrString => Some(match fields.varint(1)? {
            0 => Value::from(fields.varint(2)?.cast_signed()),
            _ => Value::from(fields.str(3)?),
        }),
        Type::RawExtension | Type::FieldsV1 | Type::Json => match fields.bytes(1)? {
            [] => None,
            raw => Some(read_raw(raw)?),
        },
        Type::StringList => Some(fields.strings(1)?),
        Type::SchemaOrArray => match fields.last(1) {
            Some(value) => Some(read_schema(value, depth)?),
            None => Some(Value::Array(
                fields.all(2).map(|value| read_schema(value, depth)).collect::<Result<_, _>>()?,
            )),
        },
        Type::SchemaOrBool => match fields.last(2) {
            Some(value) => Some(read_schema(value, depth)?),
            None => Some(Value::Bool(fields.varint(1)? != 0)),
        },
        Type::SchemaOrStrings => match fields.last(1) {
            Some(value) => Some(read_schema(value, depth)?),
            None => Some(fields.strings(2)?),
        },
        other => return Err(DecodeError::Malformed(format!("{other:?} is no message"))),
    })
}

fn timestamp(writer: &mut Writer, ty: Type, text: &str) -> Result<(), Error> {
    let time = time::parse(text).ok_or_else(|| Error::Reason(format!("{text:?} is no time")))?;
    let floor = Timestamp::from_second(time.as_second())
        .map_err(|error| Error::Reason(error.to_string()))?;
    let before = i64::from(floor > time);
    let nanos = i64::from(time.subsec_nanosecond()) + before * 1_000_000_000;
    let nanos = if ty == Type::Time { 0 } else { nanos / 1000 * 1000 };
    writer.varint(2, nanos.cast_unsigned());
    writer.varint(1, (time.as_second() - before).cast_unsigned());
    Ok(())
}

fn read_timestamp(ty: Type, bytes: &[u8]) -> Result<Option<Value>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let fields = Fields::read(bytes)?;
    let nanos = i32::try_from(fields.varint(2)?.cast_signed()).unwrap_or_default();
    let time = Timestamp::new(fields.varint(1)?.cast_signed(), nanos)
        .map_err(|error| DecodeError::Malformed(error.to_string()))?;
    let write = if ty == Type::Time { time::seconds } else { time::micros };
    Ok(Some(Value::String(write(time))))
}

fn int_or_string(writer: &mut Writer, value: &Tree<'_>) -> Result<(), Error> {
    let (kind, number, text) = match value {
        Tree::Text(text) => (1, 0, &**text),
        value => (0, integer(value)?, ""),
    };
    writer.bytes(3, text.as_bytes());
    writer.varint(2, number.cast_unsigned());
    writer.varint(1, kind);
    Ok(())
}

fn read_quantity(fields: &Fields<'_>) -> Result<String, DecodeError> {
    match fields.str(1)? {
        "" => Ok("0".to_owned()),
        text => {
            quantity::canonical(text).map_err(|error| DecodeError::Malformed(error.to_string()))
        }
    }
}

/// Free-form JSON; also an object in an envelope of its own, as webhooks and events carry.
fn read_raw(raw: &[u8]) -> Result<Value, DecodeError> {
    if raw.starts_with(envelope::MAGIC) {
        return super::decode(None, raw).map(|(_, value)| value);
    }
    serde_json::from_slice(raw).map_err(|error| DecodeError::Malformed(error.to_string()))
}

fn strings(writer: &mut Writer, number: u32, value: &Tree<'_>) -> Result<(), Error> {
    let Tree::List(list) = value else { return Err(wanted("a list", value)) };
    for value in list.iter().rev() {
        writer.bytes(number, text(value)?.as_bytes());
    }
    Ok(())
}

fn schema(writer: &mut Writer, number: u32, value: &Tree<'_>) -> Result<(), Error> {
    let Tree::Message(members) = value else { return Err(wanted("an object", value)) };
    nested(writer, number, |writer| Ok(encode::message(writer, schema_props(), Some(members))?))
}

fn read_schema(value: WireValue<'_>, depth: Depth) -> Result<Value, DecodeError> {
    decode::message(schema_props(), value.as_bytes()?, depth.deeper()?)
}

fn schema_props() -> MessageRef {
    crate::schema::decode::schema_props()
}

/// The fields of a small message.
struct Fields<'a>(Vec<(u32, WireValue<'a>)>);

// === impl Fields ===

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.next()? {
            fields.push(field);
        }
        Ok(Self(fields))
    }

    fn all(&self, number: u32) -> impl DoubleEndedIterator<Item = WireValue<'a>> {
        self.0.iter().filter(move |field| field.0 == number).map(|field| field.1)
    }

    fn last(&self, number: u32) -> Option<WireValue<'a>> {
        self.all(number).next_back()
    }

    fn varint(&self, number: u32) -> Result<u64, DecodeError> {
        self.last(number).map_or(Ok(0), WireValue::as_varint)
    }

    fn bytes(&self, number: u32) -> Result<&'a [u8], DecodeError> {
        self.last(number).map_or(Ok(&[]), WireValue::as_bytes)
    }

    fn str(&self, number: u32) -> Result<&'a str, DecodeError> {
        self.last(number).map_or(Ok(""), WireValue::as_str)
    }

    fn strings(&self, number: u32) -> Result<Value, DecodeError> {
        let texts = self.all(number).map(|value| value.as_str().map(Value::from));
        texts.collect::<Result<_, _>>().map(Value::Array)
    }
}
