//! Reading and filling JSON objects without a type for each.

use super::Map;
use serde_json::Value;

/// What stands under `key`, if it is a string.
pub(crate) fn str_of<'a>(map: &'a Map, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What stands under `key`, if it is a whole number.
pub(crate) fn int_of(map: &Map, key: &str) -> Option<i64> {
    map.get(key).and_then(Value::as_i64)
}

/// Whether `key` is true.
pub(crate) fn is_true(map: &Map, key: &str) -> bool {
    map.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// The object under `key`.
pub(crate) fn map_of<'a>(map: &'a Map, key: &str) -> Option<&'a Map> {
    map.get(key).and_then(Value::as_object)
}

/// The object at the end of a path of keys.
pub(crate) fn map_at<'a>(map: &'a Map, path: &[&str]) -> Option<&'a Map> {
    path.iter().try_fold(map, |map, key| map_of(map, key))
}

/// The value at the end of a path of keys.
pub(crate) fn value_at<'a>(map: &'a Map, path: &[&str]) -> Option<&'a Value> {
    let (last, parents) = path.split_last()?;
    map_at(map, parents)?.get(*last)
}

/// The string at the end of a path of keys; empty when there is none.
pub(crate) fn str_at<'a>(map: &'a Map, path: &[&str]) -> &'a str {
    value_at(map, path).and_then(Value::as_str).unwrap_or_default()
}

/// The list under `key`, empty when there is none.
pub(crate) fn list_of<'a>(map: &'a Map, key: &str) -> &'a [Value] {
    map.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The objects of the list under `key`, with their places.
pub(crate) fn maps_of<'a>(map: &'a Map, key: &str) -> impl Iterator<Item = (usize, &'a Map)> {
    list_of(map, key).iter().enumerate().filter_map(|(at, item)| Some((at, item.as_object()?)))
}

/// The strings of the list under `key`, with their places.
pub(crate) fn strs_of<'a>(map: &'a Map, key: &str) -> impl Iterator<Item = (usize, &'a str)> {
    list_of(map, key).iter().enumerate().filter_map(|(at, item)| Some((at, item.as_str()?)))
}

/// Whether nothing of substance stands under `key`: nothing, null, an empty string, list or object.
pub(crate) fn is_empty(map: &Map, key: &str) -> bool {
    match map.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(_) => false,
    }
}

/// Whether a pointer field is not set.
pub(crate) fn is_nil(map: &Map, key: &str) -> bool {
    matches!(map.get(key), None | Some(Value::Null))
}

/// The object under `key`, to change; made when there is none.
pub(crate) fn map_mut<'a>(map: &'a mut Map, key: &str) -> &'a mut Map {
    let slot = map.entry(key).or_insert(Value::Null);
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut().expect("it was just made an object")
}

/// The object under `key`, to change, if it is there.
pub(crate) fn existing_mut<'a>(map: &'a mut Map, key: &str) -> Option<&'a mut Map> {
    map.get_mut(key).and_then(Value::as_object_mut)
}

/// The objects of the list under `key`, to change.
pub(crate) fn each_mut<'a>(
    map: &'a mut Map,
    key: &str,
) -> impl Iterator<Item = &'a mut Map> + use<'a> {
    map.get_mut(key)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

/// Puts `value` under `key` when nothing of substance stands there (`false` and `0` are of substance).
pub(crate) fn fill(map: &mut Map, key: &str, value: impl Into<Value>) {
    if is_empty(map, key) {
        map.insert(key.into(), value.into());
    }
}

/// Puts `value` under `key` when nothing stands there or zero does, for numbers Go can't leave unset.
pub(crate) fn fill_zero(map: &mut Map, key: &str, value: i64) {
    if int_of(map, key).unwrap_or(0) == 0 {
        map.insert(key.into(), value.into());
    }
}

/// Puts `value` under `key` when nothing stands there; an empty value there stays.
pub(crate) fn fill_nil(map: &mut Map, key: &str, value: impl Into<Value>) {
    if is_nil(map, key) {
        map.insert(key.into(), value.into());
    }
}

/// Makes `to` have under `key` what `from` has there.
pub(crate) fn restore(to: &mut Map, from: &Map, key: &str) {
    match from.get(key) {
        Some(value) => _ = to.insert(key.into(), value.clone()),
        None => _ = to.shift_remove(key),
    }
}
