//! Rules that many kinds share.

use super::format::{ip_address, port_name, port_number};
use super::{Errors, Path};
use crate::strategy::Map;
use crate::strategy::json::{int_of, is_empty, is_nil, list_of, map_of, maps_of, str_of};
use serde_json::Value;
use std::fmt::Display;
use windlass_core::meta::Quantity;

/// Adds what a form said about a text.
pub(crate) fn texts(path: impl Display + Copy, value: &str, found: &[String], errors: &mut Errors) {
    for message in found {
        errors.invalid(path, value, message);
    }
}

/// A required field that has one of a few values.
pub(crate) fn one_of(map: &Map, key: &str, known: &[&str], path: &Path<'_>, errors: &mut Errors) {
    match str_of(map, key) {
        "" => errors.required(path.child(key), ""),
        value if !known.contains(&value) => errors.not_supported(path.child(key), value, known),
        _ => {}
    }
}

/// A field that has one of a few values, if it is set.
pub(crate) fn none_or(map: &Map, key: &str, known: &[&str], path: &Path<'_>, errors: &mut Errors) {
    if !is_empty(map, key) {
        one_of(map, key, known, path, errors);
    }
}

/// A text that must be there.
pub(crate) fn required(map: &Map, key: &str, path: &Path<'_>, errors: &mut Errors) {
    if is_empty(map, key) {
        errors.required(path.child(key), "");
    }
}

/// A number between two others, if it is set.
pub(crate) fn range(
    map: &Map,
    key: &str,
    least: i64,
    most: i64,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if let Some(value) = int_of(map, key).filter(|value| !(least..=most).contains(value)) {
        let detail = format!("must be between {least} and {most}, inclusive");
        errors.invalid(path.child(key), value, &detail);
    }
}

/// Numbers that are not below zero, if they are set.
pub(crate) fn not_negative(map: &Map, keys: &[&str], path: &Path<'_>, errors: &mut Errors) {
    for key in keys {
        if let Some(value) = int_of(map, key).filter(|value| *value < 0) {
            errors.invalid(path.child(key), value, "must be greater than or equal to 0");
        }
    }
}

/// A field that an update may not change.
pub(crate) fn immutable(new: &Map, old: &Map, key: &str, path: &Path<'_>, errors: &mut Errors) {
    if new.get(key).filter(|v| !v.is_null()) != old.get(key).filter(|v| !v.is_null()) {
        let value = new.get(key).cloned().unwrap_or(Value::Null);
        errors.invalid(path.child(key), value, "field is immutable");
    }
}

/// A port by number or by name.
pub(crate) fn port(value: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    match value {
        Some(Value::String(name)) => texts(path, name, &port_name(name), errors),
        Some(Value::Number(number)) => {
            let number = number.as_i64().unwrap_or(0);
            for message in port_number(number) {
                errors.invalid(path, number, &message);
            }
        }
        _ => errors.required(path, ""),
    }
}

/// A number or a percentage, not negative.
pub(crate) fn int_or_percent(value: &Value, path: &Path<'_>, errors: &mut Errors) {
    match value {
        Value::String(text) => {
            let number = text.strip_suffix('%').map(str::parse::<u32>);
            if !matches!(number, Some(Ok(_))) {
                let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
                errors.invalid(path, text.as_str(), detail);
            }
        }
        other => {
            if let Some(number) = other.as_i64().filter(|number| *number < 0) {
                errors.invalid(path, number, "must be greater than or equal to 0");
            }
        }
    }
}

/// A label selector in an object.
pub(crate) fn label_selector(selector: &Map, path: &Path<'_>, errors: &mut Errors) {
    super::meta::validate_labels(
        map_of(selector, "matchLabels"),
        &path.child("matchLabels"),
        errors,
    );
    let list = path.child("matchExpressions");
    for (at, expression) in maps_of(selector, "matchExpressions") {
        let path = list.index(at);
        let values = list_of(expression, "values");
        match str_of(expression, "operator") {
            "In" | "NotIn" if values.is_empty() => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                errors.required(path.child("values"), detail);
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.forbidden(path.child("values"), detail);
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(path.child("operator"), other, "not a valid selector operator"),
        }
        let key = str_of(expression, "key");
        texts(path.child("key"), key, &super::format::qualified_name(key), errors);
        for (place, value) in values.iter().filter_map(Value::as_str).enumerate() {
            let values = path.child("values");
            texts(values.index(place), value, &super::format::label_value(value), errors);
        }
    }
}

/// Whether a selector that the API holds selects these labels.
pub(crate) fn selects(selector: &Map, labels: Option<&Map>) -> bool {
    use windlass_core::{apis::meta::v1, meta::LabelSelector};
    let api: Result<v1::LabelSelector, _> = serde_json::from_value(Value::Object(selector.clone()));
    let Some(selector) = api.ok().and_then(|api| LabelSelector::from_api(&api).ok()) else {
        return false;
    };
    selector.matches_with(|key| labels?.get(key)?.as_str())
}

/// The amount a quantity stands for.
pub(crate) fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// A list of addresses.
pub(crate) fn addresses(map: &Map, key: &str, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child(key);
    for (at, address) in crate::strategy::json::strs_of(map, key) {
        texts(list.index(at), address, &ip_address(address), errors);
    }
}

/// Of these fields at most one is set; gives back which.
pub(crate) fn only_one<'a>(
    map: &Map,
    keys: &[&'a str],
    path: &Path<'_>,
    detail: &str,
    errors: &mut Errors,
) -> Option<&'a str> {
    let mut set = keys.iter().filter(|key| !is_nil(map, key));
    let first = set.next().copied();
    for other in set {
        errors.forbidden(path.child(other), detail);
    }
    first
}

/// How a webhook is called: by a URL or as a Service.
pub(crate) fn client_config(config: &Map, path: &Path<'_>, errors: &mut Errors) {
    match (is_nil(config, "url"), map_of(config, "service")) {
        (true, None) | (false, Some(_)) => {
            errors.required(path, "exactly one of url or service is required");
        }
        (false, None) => url(str_of(config, "url"), &path.child("url"), errors),
        (true, Some(service)) => {
            let path = path.child("service");
            for key in ["name", "namespace"] {
                if is_empty(service, key) {
                    errors.required(path.child(key), "");
                }
            }
            range(service, "port", 1, 65535, &path, errors);
        }
    }
}

fn url(url: &str, path: &Path<'_>, errors: &mut Errors) {
    const FORM: &str = "desired format: https://host[/path]";
    let rest = url.strip_prefix("https://");
    let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let mut bad = |why: String| errors.invalid(path, url, &why);
    match rest {
        None => bad(format!("'https' is the only allowed URL scheme; {FORM}")),
        Some(_) if authority.is_empty() => bad(format!("host must be specified; {FORM}")),
        Some(rest) => {
            if authority.contains('@') {
                bad("user information is not permitted in the URL".into());
            }
            if rest.contains('#') {
                bad("fragments are not permitted in the URL".into());
            }
            if rest.split('#').next().is_some_and(|rest| rest.contains('?')) {
                bad("query parameters are not permitted in the URL".into());
            }
        }
    }
}
