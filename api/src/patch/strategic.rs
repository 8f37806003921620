//! Strategic merge patch: a merge patch that knows the keys of lists.

mod list;
mod order;

#[cfg(test)]
mod tests;

use super::limits::read_object;
use crate::schema::{Cardinality, Field, MessageRef, Schema};
use crate::strategy::Map;
use serde_json::Value;
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::GroupVersionKind;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const SET_ORDER: &str = "$setElementOrder/";

/// The type of an object in the patch: a message, or a map of a field's elements, or unknown.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Message(MessageRef),
    Element(&'static Field),
    Free,
}

/// Applies a strategic merge patch with the merge keys of a built-in kind.
///
/// # Errors
/// `UnsupportedMediaType` for kinds without a built-in schema, `BadRequest` when the patch is malformed.
pub fn strategic(current: &Map, patch: &[u8], gvk: &GroupVersionKind) -> Result<Map, Status> {
    let message = Schema::builtin().kind(gvk).ok_or_else(|| {
        let text = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
        Status::failure(Reason::UnsupportedMediaType, text)
    })?;
    merge_map(current.clone(), read_object(patch)?, Type::Message(message))
        .map_err(Status::bad_request)
}

// === impl Type ===

impl Type {
    /// The field of this name; none for the entries of maps.
    fn field(self, name: &str) -> Option<&'static Field> {
        match self {
            Self::Message(message) => message.field(name),
            Self::Element(_) | Self::Free => None,
        }
    }

    /// The type of the object under this name, or of the objects in the list there.
    fn inner(self, name: &str) -> Self {
        match self {
            Self::Message(message) => match message.field(name) {
                Some(field) if field.cardinality == Cardinality::Map => Self::Element(field),
                Some(field) => field.message().map_or(Self::Free, Self::Message),
                None => Self::Free,
            },
            Self::Element(field) => field.message().map_or(Self::Free, Self::Message),
            Self::Free => Self::Free,
        }
    }
}

/// Merges a patch into an object.
pub(super) fn merge_map(mut target: Map, mut patch: Map, ty: Type) -> Result<Map, String> {
    match patch.shift_remove(PATCH).as_ref().map(Value::as_str) {
        None | Some(Some("merge")) => {}
        Some(Some("replace")) => return Ok(plain_map(patch)),
        Some(Some("delete")) => return Ok(Map::new()),
        Some(other) => return Err(format!("Unknown patch type found: {}", other.unwrap_or("?"))),
    }
    retain_keys(&mut target, &mut patch)?;
    let orders = take_directives(&mut patch, SET_ORDER)?;
    delete_from_lists(&mut target, &mut patch)?;
    for (name, order) in &orders {
        let key = ty.field(name).and_then(|field| field.merge.patch_merge_key);
        if let Some(Value::Array(items)) = patch.get(name) {
            order::check(items, order, key, name)?;
        }
    }
    let before: Vec<_> = orders.iter().map(|(name, _)| target.get(name).cloned()).collect();
    for (name, value) in patch {
        merge_entry(&mut target, name, value, ty)?;
    }
    for ((name, order), before) in orders.iter().zip(before) {
        let key = ty.field(name).and_then(|field| field.merge.patch_merge_key);
        if let (Some(Value::Array(items)), Some(Value::Array(before))) =
            (target.get_mut(name), before)
        {
            *items = order::arrange(std::mem::take(items), order, &before, key);
        }
    }
    Ok(target)
}

fn merge_entry(target: &mut Map, name: String, value: Value, ty: Type) -> Result<(), String> {
    if value.is_null() {
        target.shift_remove(&name);
        return Ok(());
    }
    let replace = ty.field(&name).is_some_and(|field| field.merge.patch_strategy.replace);
    let merge = ty.field(&name).is_some_and(|field| field.merge.patch_strategy.merge);
    let merged = match (target.get_mut(&name).map(Value::take), value) {
        (Some(Value::Object(old)), Value::Object(new)) if !replace => {
            Value::Object(merge_map(old, new, ty.inner(&name))?)
        }
        (Some(Value::Array(old)), Value::Array(new)) if merge => {
            let key = ty.field(&name).and_then(|field| field.merge.patch_merge_key);
            Value::Array(list::merge(old, new, key, ty.inner(&name))?)
        }
        // The directives have nothing to work on; their keys do not belong into the object.
        (_, new) => plain(new),
    };
    target.insert(name, merged);
    Ok(())
}

/// Removes the keys that a `$retainKeys` list does not name. All keys of the patch must be in it.
fn retain_keys(target: &mut Map, patch: &mut Map) -> Result<(), String> {
    let Some(list) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let Value::Array(list) = list else {
        return Err("invalid patch format of $retainKeys".into());
    };
    let named = |key: &str| list.iter().any(|name| name.as_str() == Some(key));
    let directive = |key: &str| key.starts_with('$');
    if let Some((key, _)) =
        patch.iter().find(|(key, value)| !directive(key) && !value.is_null() && !named(key))
    {
        return Err(format!("$retainKeys must contain the keys of the patch, {key:?} is missing"));
    }
    target.retain(|key, _| named(key));
    Ok(())
}

fn delete_from_lists(target: &mut Map, patch: &mut Map) -> Result<(), String> {
    for (name, gone) in take_directives(patch, DELETE_FROM)? {
        if let Some(Value::Array(items)) = target.get_mut(&name) {
            items.retain(|item| !gone.contains(item));
        }
    }
    Ok(())
}

/// Takes the directives of one sort out of the patch: the field each is about, and its list.
fn take_directives(patch: &mut Map, prefix: &str) -> Result<Vec<(String, Vec<Value>)>, String> {
    let keys: Vec<_> = patch.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        match patch.shift_remove(&key) {
            Some(Value::Array(list)) => found.push((key[prefix.len()..].to_owned(), list)),
            _ => return Err(format!("invalid patch format of {key}")),
        }
    }
    Ok(found)
}

/// What a part of a patch stands for where there is nothing to merge it into.
pub(super) fn plain(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(plain_map(map)),
        Value::Array(items) => Value::Array(items.into_iter().filter_map(plain_item).collect()),
        other => other,
    }
}

fn plain_map(map: Map) -> Map {
    let kept = |(key, value): (String, Value)| {
        let directive = [PATCH, RETAIN_KEYS].contains(&&*key)
            || key.starts_with(DELETE_FROM)
            || key.starts_with(SET_ORDER);
        (!directive && !value.is_null()).then(|| (key, plain(value)))
    };
    map.into_iter().filter_map(kept).collect()
}

fn plain_item(item: Value) -> Option<Value> {
    let directive = item.get(PATCH).and_then(Value::as_str).map(str::to_owned);
    let alone = item.as_object().is_some_and(|map| map.len() == 1);
    match directive.as_deref() {
        Some("delete") => None,
        Some(_) if alone => None,
        _ => Some(plain(item)),
    }
}
