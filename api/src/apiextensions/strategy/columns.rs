//! Printer columns, and fields to select by.

use super::versions::each;
use crate::apiextensions::jsonpath::JsonPath;
use crate::strategy::Map;
use crate::strategy::json::{is_empty, str_of, value_at};
use crate::validation::rules::one_of;
use crate::validation::{Errors, Path};
use serde_json::Value;

const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const FORMATS: [&str; 8] =
    ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
/// So many fields one may select by.
const MAX_SELECTABLE: usize = 8;

pub(super) fn validate(spec: &Map, errors: &mut Errors) {
    each(spec, &["additionalPrinterColumns"], "additionalPrinterColumns", |list, _, path| {
        for (at, column) in items(list) {
            validate_column(column, &path.index(at), errors);
        }
    });
}

fn validate_column(column: &Map, path: &Path<'_>, errors: &mut Errors) {
    for key in ["name", "type", "jsonPath"] {
        if is_empty(column, key) {
            errors.required(path.child(key), "");
        }
    }
    if !is_empty(column, "type") {
        one_of(column, "type", &TYPES, path, errors);
    }
    if !is_empty(column, "format") {
        one_of(column, "format", &FORMATS, path, errors);
    }
    let text = str_of(column, "jsonPath");
    if text.is_empty() {
        return;
    }
    let path = path.child("jsonPath");
    if !text.starts_with('.') {
        errors.invalid(path, text, "must be a simple json path starting with .");
    } else if let Err(error) = JsonPath::parse(text) {
        errors.invalid(path, text, &format!("is an invalid path: {error}"));
    }
}

pub(super) fn validate_selectable(spec: &Map, errors: &mut Errors) {
    each(spec, &["selectableFields"], "selectableFields", |list, version, path| {
        let count = items(list).count();
        if count > MAX_SELECTABLE {
            errors.too_many(path, count, MAX_SELECTABLE);
        }
        let mut seen = std::collections::BTreeSet::new();
        for (at, field) in items(list) {
            let (item, text) = (path.index(at), str_of(field, "jsonPath"));
            let path = item.child("jsonPath");
            if text.is_empty() {
                errors.required(path, "");
                continue;
            }
            if !seen.insert(text) {
                errors.duplicate(item, text);
            }
            if let Err(why) = selectable(text, version) {
                errors.invalid(path, text, &why);
            }
        }
    });
}

/// A field that the schema knows as a single value.
fn selectable<'a>(text: &str, version: &'a Map) -> Result<(), String> {
    let invalid = |why: &str| Err(format!("is an invalid path: {why}"));
    let parsed = JsonPath::parse(text);
    let keys = parsed.as_ref().ok().and_then(JsonPath::keys);
    let Some(keys) = keys.filter(|keys| !keys.is_empty() && text.starts_with('.')) else {
        return invalid("must be a simple json path of field names starting with .");
    };
    if keys[0] == "metadata" {
        return invalid("must not point to fields in metadata");
    }
    let root = value_at(version, &["schema", "openAPIV3Schema"]);
    let step = |schema: &'a Value, key: &&str| schema.get("properties")?.get(*key);
    let found = root.and_then(|root| keys.iter().try_fold(root, step));
    match found.and_then(|schema| schema.get("type")).and_then(Value::as_str) {
        Some("string" | "integer" | "boolean") => Ok(()),
        Some(other) => Err(format!(
            "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed, but it is of type {other}"
        )),
        None => invalid("does not refer to a valid field"),
    }
}

fn items(list: &Value) -> impl Iterator<Item = (usize, &Map)> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate();
    all.filter_map(|(at, item)| Some((at, item.as_object()?)))
}
