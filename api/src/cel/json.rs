//! From values to JSON, for expressions that make objects.

use super::duration;
use super::error::EvalError;
use super::value::{Map, Value};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value as Json;

/// How deep a value may be.
const MAX_DEPTH: usize = 128;

// === impl Value ===

impl Value<'_> {
    /// The value as JSON. Optional values that are not there are null.
    ///
    /// # Errors
    /// When it has no form in JSON, or is nested too deeply.
    pub fn to_json(&self) -> Result<Json, EvalError> {
        convert(self, MAX_DEPTH)
    }
}

fn convert(value: &Value<'_>, depth: usize) -> Result<Json, EvalError> {
    let no_form = || EvalError::failed(format!("{} has no form in JSON", value.type_name()));
    let depth = depth.checked_sub(1).ok_or_else(|| EvalError::failed("nested too deeply"))?;
    Ok(match value {
        Value::Null | Value::Optional(None) => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Uint(value) => (*value).into(),
        Value::Double(value) => Json::from(*value),
        Value::String(text) => Json::from(&**text),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Value::Duration(nanos) => duration::seconds(*nanos).into(),
        Value::Timestamp(at) => at.to_string().into(),
        Value::Optional(Some(inner)) => convert(inner, depth)?,
        Value::List(list) => {
            list.iter().map(|item| convert(&item, depth)).collect::<Result<Vec<_>, _>>()?.into()
        }
        // It is JSON already.
        Value::Map(Map::Json(map, _)) => Json::Object((*map).clone()),
        Value::Map(map) => {
            let mut object = serde_json::Map::new();
            for (key, value) in map.iter() {
                let key = match key {
                    Value::String(text) => text.to_string(),
                    Value::Int(key) => key.to_string(),
                    Value::Uint(key) => key.to_string(),
                    Value::Bool(key) => key.to_string(),
                    _ => return Err(no_form()),
                };
                object.insert(key, convert(&value, depth)?);
            }
            Json::Object(object)
        }
        Value::Foreign(value) => value.text().ok_or_else(no_form)?.into(),
        Value::Type(_) | Value::Authz(_) | Value::Variables(_) => return Err(no_form()),
    })
}
