//! From the wire to JSON.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Number, Value};
use windlass_core::scheme::GroupVersionKind;

use super::{
    DecodeError, special,
    wire::{Reader, WireValue},
};
use crate::schema::{
    Cardinality, Field, Message, MessageRef, Schema, Type,
    decode::{Slots, assemble},
};

/// How deeply messages may be nested.
const MAX_DEPTH: u16 = 200;

/// How deep the reader is.
#[derive(Clone, Copy)]
pub(super) struct Depth(u16);

/// Reads an object; with its kind, if that is known.
pub(super) fn object(
    message: MessageRef,
    gvk: Option<&GroupVersionKind>,
    bytes: &[u8],
) -> Result<Value, DecodeError> {
    let mut slots = Slots::new(message);
    fields(message, bytes, Depth(0), &mut slots, 0)?;
    if let Some(gvk) = gvk {
        set(message, &mut slots, "apiVersion", gvk.api_version());
        set(message, &mut slots, "kind", gvk.kind.to_string());
    }
    Ok(assemble(message, slots))
}

/// Reads a message.
pub(super) fn message(
    message: MessageRef,
    bytes: &[u8],
    depth: Depth,
) -> Result<Value, DecodeError> {
    let mut slots = Slots::new(message);
    fields(message, bytes, depth, &mut slots, 0)?;
    Ok(assemble(message, slots))
}

fn set(message: MessageRef, slots: &mut Slots, name: &str, value: String) {
    if let Some(place) = message.place(name) {
        slots.set(place, Value::String(value));
    }
}

/// Reads the fields of a message into slots, of which its own start at `base`.
fn fields(
    message: &Message,
    bytes: &[u8],
    depth: Depth,
    slots: &mut Slots,
    base: u16,
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.next()? {
        let Some(field) = message.by_number(number) else { continue };
        let place = base + field.offset;
        match Message::inlined(field) {
            Some(part) => {
                let part = Schema::builtin().message_at(part);
                fields(part, value.as_bytes()?, depth.deeper()?, slots, place)?;
            }
            None => read(field, value, depth, slots, place)?,
        }
    }
    Ok(())
}

fn read(
    field: &Field,
    wire: WireValue<'_>,
    depth: Depth,
    slots: &mut Slots,
    place: u16,
) -> Result<(), DecodeError> {
    match field.cardinality {
        Cardinality::One => {
            if let Some(value) = one(field.ty, wire, depth)? {
                slots.set(place, value);
            }
        }
        Cardinality::List => {
            let list = slots.entry(place, || Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                elements(field.ty, wire, depth, list)?;
            }
        }
        Cardinality::Map => {
            let (key, value) = entry(field.ty, wire.as_bytes()?, depth)?;
            if let Value::Object(map) = slots.entry(place, || Value::Object(Map::new())) {
                map.insert(key, value);
            }
        }
    }
    Ok(())
}

/// One element, or several numbers in one packed field.
fn elements(
    ty: Type,
    wire: WireValue<'_>,
    depth: Depth,
    list: &mut Vec<Value>,
) -> Result<(), DecodeError> {
    match (ty, wire) {
        (Type::Int32 | Type::Int64 | Type::Bool, WireValue::Bytes(packed)) => {
            let mut reader = Reader::new(packed);
            while !reader.is_empty() {
                list.extend(one(ty, WireValue::Varint(reader.varint()?), depth)?);
            }
        }
        _ => list.push(one(ty, wire, depth)?.unwrap_or_else(|| ty.zero())),
    }
    Ok(())
}

fn entry(ty: Type, bytes: &[u8], depth: Depth) -> Result<(String, Value), DecodeError> {
    let mut reader = Reader::new(bytes);
    let (mut key, mut value) = (String::new(), None);
    while let Some((number, wire)) = reader.next()? {
        match number {
            1 => key = wire.as_str()?.to_owned(),
            2 => value = one(ty, wire, depth)?,
            _ => {}
        }
    }
    Ok((key, value.unwrap_or_else(|| ty.zero())))
}

/// Reads one value; none stands for null.
fn one(ty: Type, wire: WireValue<'_>, depth: Depth) -> Result<Option<Value>, DecodeError> {
    Ok(Some(match ty {
        Type::String => Value::from(wire.as_str()?),
        Type::Bytes => Value::from(STANDARD.encode(wire.as_bytes()?)),
        Type::Int32 => {
            // Kubernetes keeps the lower half, as protobuf asks for.
            let [a, b, c, d, ..] = wire.as_varint()?.to_le_bytes();
            Value::from(i32::from_le_bytes([a, b, c, d]))
        }
        Type::Int64 => Value::from(wire.as_varint()?.cast_signed()),
        Type::Bool => Value::from(wire.as_varint()? != 0),
        Type::Double => double(wire)?,
        Type::Message(index) => {
            message(Schema::builtin().message_at(index), wire.as_bytes()?, depth.deeper()?)?
        }
        ty => return special::decode(ty, wire.as_bytes()?, depth),
    }))
}

/// A floating-point number, written without a fraction if it has none.
fn double(wire: WireValue<'_>) -> Result<Value, DecodeError> {
    let WireValue::Fixed64(bits) = wire else {
        return Err(DecodeError::Malformed(format!("wrong wireType for a double: {wire:?}")));
    };
    let float = f64::from_bits(bits);
    let number = match float {
        whole if whole.fract() == 0.0 && whole.abs() < 9.0e15 => Some(Number::from(whole as i64)),
        float => Number::from_f64(float),
    };
    number
        .map(Value::Number)
        .ok_or_else(|| DecodeError::Malformed(format!("{float} is no JSON number")))
}

// === impl Depth ===

impl Depth {
    pub(super) fn deeper(self) -> Result<Self, DecodeError> {
        match self.0 {
            MAX_DEPTH => {
                Err(DecodeError::Malformed(format!("nested more than {MAX_DEPTH} levels")))
            }
            depth => Ok(Self(depth + 1)),
        }
    }
}
