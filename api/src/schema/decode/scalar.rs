//! Values that are no message: checked, and brought into the form Kubernetes writes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Number, Value};

use super::Mode;
use crate::schema::{Type, quantity, time};

/// Why a value does not fit.
pub(super) enum Misfit {
    /// It has another type: what Go calls it, and what it wanted instead if that is not the field's type.
    Type(String, Option<&'static str>),
    /// It has the right type and does not parse.
    Value(String),
}

/// Checks a string.
pub(super) fn string(ty: Type, text: &str, mode: Mode) -> Result<Value, Misfit> {
    Ok(Value::String(match ty {
        Type::String | Type::IntOrString => text.to_owned(),
        Type::Bytes => bytes(text)?,
        Type::Quantity if mode == Mode::Partial => {
            quantity::canonical(text).map(|_| text.to_owned()).map_err(value)?
        }
        Type::Quantity => quantity::canonical(text.trim()).map_err(value)?,
        Type::Time => point_in_time(text, time::seconds, "2006-01-02T15:04:05Z07:00")?,
        Type::MicroTime => point_in_time(text, time::micros, "2006-01-02T15:04:05.000000Z07:00")?,
        _ => return Err(Misfit::Type("string".to_owned(), None)),
    }))
}

/// Checks a whole number.
pub(super) fn integer(ty: Type, number: &Number, mode: Mode) -> Result<Value, Misfit> {
    let fits = |fits: bool, wanted| match fits {
        true => Ok(Value::Number(number.clone())),
        false => Err(Misfit::Type(format!("number {number}"), wanted)),
    };
    let small = number.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
    match ty {
        Type::Int32 => fits(small, None),
        Type::IntOrString => fits(small, Some("int32")),
        Type::Int64 => fits(number.is_i64(), None),
        Type::Double => Ok(Value::Number(number.clone())),
        Type::Quantity => string(ty, &number.to_string(), mode),
        Type::Time | Type::MicroTime => Err(Misfit::Type("number".to_owned(), Some("string"))),
        _ => Err(Misfit::Type("number".to_owned(), None)),
    }
}

/// Checks a number with a fraction or an exponent.
pub(super) fn float(ty: Type, number: &Number, mode: Mode) -> Result<Value, Misfit> {
    match ty {
        Type::Int32 | Type::Int64 => Err(Misfit::Type(format!("number {number}"), None)),
        Type::IntOrString => Err(Misfit::Type(format!("number {number}"), Some("int32"))),
        _ => integer(ty, number, mode),
    }
}

/// Checks a boolean.
pub(super) fn boolean(ty: Type, truth: bool) -> Result<Value, Misfit> {
    match ty {
        Type::Bool | Type::SchemaOrBool => Ok(Value::Bool(truth)),
        ty => Err(other(ty, "bool")),
    }
}

/// The misfit of a list, an object or a boolean in place of a scalar.
pub(super) fn other(ty: Type, found: &str) -> Misfit {
    match ty {
        Type::Quantity => value(quantity::QuantityError::Format),
        Type::IntOrString => Misfit::Type(found.to_owned(), Some("int32")),
        Type::Time | Type::MicroTime => Misfit::Type(found.to_owned(), Some("string")),
        _ => Misfit::Type(found.to_owned(), None),
    }
}

fn bytes(text: &str) -> Result<String, Misfit> {
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match STANDARD.decode(&clean) {
        Ok(_) => Ok(clean),
        Err(
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _),
        ) => Err(value(format!("illegal base64 data at input byte {at}"))),
        Err(_) => Err(value(format!("illegal base64 data at input byte {}", clean.len() / 4 * 4))),
    }
}

fn point_in_time(
    text: &str,
    write: fn(jiff::Timestamp) -> String,
    layout: &str,
) -> Result<String, Misfit> {
    let error =
        || value(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""));
    time::parse(text).map(write).ok_or_else(error)
}

fn value(error: impl std::fmt::Display) -> Misfit {
    Misfit::Value(error.to_string())
}
