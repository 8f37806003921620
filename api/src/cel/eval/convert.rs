//! Conversions between types.

use super::Outcome;
use crate::apiextensions::schema::go_float;
use crate::cel::duration;
use crate::cel::error::EvalError;
use crate::cel::value::Value;
use jiff::Timestamp;

/// A conversion function; `None` when it is none of those.
pub(super) fn convert<'a>(function: &str, value: &Value<'a>) -> Option<Outcome<'a>> {
    let found = match function {
        "string" => text(value),
        "int" => int(value),
        "uint" => uint(value),
        "double" => double(value),
        "bool" => match value {
            Value::Bool(_) => Some(value.clone()),
            Value::String(text) => match &**text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(Value::Bool(false)),
                _ => None,
            },
            _ => None,
        },
        "bytes" => match value {
            Value::Bytes(_) => Some(value.clone()),
            Value::String(text) => Some(Value::Bytes(text.as_bytes().into())),
            _ => None,
        },
        "duration" => match value {
            Value::Duration(_) => Some(value.clone()),
            Value::Int(seconds) => seconds.checked_mul(1_000_000_000).map(Value::Duration),
            Value::String(text) => duration::parse(text).map(Value::Duration),
            _ => None,
        },
        "timestamp" => match value {
            Value::Timestamp(_) => Some(value.clone()),
            Value::Int(seconds) => Timestamp::from_second(*seconds).ok().map(Value::Timestamp),
            Value::String(text) => text.parse().ok().map(Value::Timestamp),
            _ => None,
        },
        _ => return None,
    };
    Some(found.ok_or_else(|| {
        EvalError::failed(format!(
            "type conversion error from '{}' to '{function}'",
            value.type_name()
        ))
    }))
}

/// A value as text, as `string()` and messages have it.
pub(super) fn shown(value: &Value<'_>) -> String {
    match text(value) {
        Some(Value::String(text)) => text.to_string(),
        _ => value.type_name().to_owned(),
    }
}

fn text<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    Some(Value::text(match value {
        Value::String(_) => return Some(value.clone()),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => go_float(*value),
        Value::Bytes(bytes) => String::from_utf8(bytes.to_vec()).ok()?,
        Value::Timestamp(at) => at.to_string(),
        Value::Duration(nanos) => duration::seconds(*nanos),
        Value::Foreign(value) => value.text()?,
        _ => return None,
    }))
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be in range")]
fn int<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    Some(Value::Int(match value {
        Value::Int(value) => *value,
        Value::Uint(value) => i64::try_from(*value).ok()?,
        Value::Double(value) if value.abs() < 9.223_372_036_854_775e18 => *value as i64,
        Value::String(text) => text.parse().ok()?,
        Value::Timestamp(at) => at.as_second(),
        Value::Duration(nanos) => nanos / 1_000_000_000,
        _ => return None,
    }))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
fn uint<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    Some(Value::Uint(match value {
        Value::Uint(value) => *value,
        Value::Int(value) => u64::try_from(*value).ok()?,
        Value::Double(value) if (0.0..1.8e19).contains(value) => *value as u64,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    }))
}

#[expect(clippy::cast_precision_loss, reason = "what a conversion to double does")]
fn double<'a>(value: &Value<'a>) -> Option<Value<'a>> {
    Some(Value::Double(match value {
        Value::Double(value) => *value,
        Value::Int(value) => *value as f64,
        Value::Uint(value) => *value as f64,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    }))
}
