//! What apply must know of a value's type.

use super::Element;
use super::element::key_of;
use crate::apiextensions::schema::{Ownership, StructuralSchema};
use crate::schema::{Cardinality, Field, ListType, MessageRef, Schema};
use crate::strategy::Map;
use serde_json::Value;
use windlass_core::scheme::GroupVersionKind;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// How a value is owned: as one, or in parts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape<'a> {
    /// As one: scalars, and what is atomic.
    Leaf,
    /// Field by field.
    Message(MessageRef),
    /// Key by key.
    Map(&'static Field),
    /// Element by element.
    List(&'static Field),
    /// As the schema of a custom resource says.
    Custom(Ownership<'a>),
    /// Nothing is known: objects key by key, everything else as one.
    Free,
}

// === impl Shape ===

impl<'a> Shape<'a> {
    /// The shape of the objects of a kind; the schema is that of a custom one.
    pub(crate) fn of_kind(gvk: &GroupVersionKind, schema: Option<&'a StructuralSchema>) -> Self {
        match schema {
            Some(schema) => Self::Custom(schema.ownership()),
            None => Schema::builtin().kind(gvk).map_or(Self::Free, Self::Message),
        }
    }

    /// The shape of a part.
    pub(crate) fn child(self, name: &str) -> Self {
        match self {
            Self::Message(message) => message.field(name).map_or(Self::Free, Self::of_field),
            Self::Map(field) | Self::List(field) => Self::of_element(field),
            Self::Custom(custom) => Self::of_custom(custom.child(name)),
            Self::Leaf => Self::Leaf,
            Self::Free => Self::Free,
        }
    }

    /// Whether it is a list whose elements have owners of their own.
    pub(crate) fn is_list(self) -> bool {
        match self {
            Self::List(_) => true,
            Self::Custom(custom) => custom.is_list(),
            _ => false,
        }
    }

    /// Whether values are always there, if only with nothing set: Go has structs in its objects.
    pub(crate) fn is_always_there(self) -> bool {
        matches!(self, Self::Message(_))
    }

    /// The element of this list that `item` is.
    ///
    /// # Errors
    /// What is wrong with an item that lacks a key.
    pub(crate) fn element(self, item: &Value) -> Result<Element, String> {
        match self {
            Self::List(field) if field.merge.list_type == ListType::Map => keyed(field, item),
            Self::Custom(custom) if custom.is_keyed() => custom_keyed(custom, item),
            _ => Ok(Element::Value(item.to_string().into())),
        }
    }

    /// Whether a value of this shape has parts with owners of their own.
    pub(crate) fn has_parts(self, value: &Value) -> bool {
        match self {
            Self::Leaf => false,
            Self::Message(_) | Self::Map(_) | Self::Free => value.is_object(),
            Self::List(_) => value.is_array(),
            Self::Custom(custom) if custom.is_list() => value.is_array(),
            Self::Custom(_) => value.is_object(),
        }
    }

    /// Whether the keys of an object of this shape are data, not declared fields.
    pub(crate) fn has_free_keys(self) -> bool {
        match self {
            Self::Map(_) | Self::Free => true,
            Self::Custom(custom) => custom.has_free_keys(),
            _ => false,
        }
    }

    fn of_custom(found: Option<Ownership<'a>>) -> Self {
        match found {
            None => Self::Free,
            Some(Ownership::Whole) => Self::Leaf,
            Some(Ownership::Metadata) => {
                Schema::builtin().message(OBJECT_META).map_or(Self::Free, Self::Message)
            }
            Some(parts) => Self::Custom(parts),
        }
    }

    fn of_field(field: &'static Field) -> Self {
        match (field.is_granular(), field.cardinality, field.message()) {
            (false, ..) => Self::Leaf,
            (true, Cardinality::One, Some(message)) => Self::Message(message),
            (true, Cardinality::One, None) => Self::Leaf,
            (true, Cardinality::Map, _) => Self::Map(field),
            (true, Cardinality::List, _) => Self::List(field),
        }
    }

    fn of_element(field: &'static Field) -> Self {
        field.message().filter(|message| !message.atomic).map_or(Self::Leaf, Self::Message)
    }
}

fn custom_keyed(custom: Ownership<'_>, item: &Value) -> Result<Element, String> {
    let mut pairs = Vec::new();
    for (key, default) in custom.keys() {
        let value = item.get(key).filter(|value| !value.is_null()).or(default);
        pairs.push((key, value.ok_or_else(|| omitted(key))?.clone()));
    }
    Ok(key_of(pairs))
}

fn omitted(key: &str) -> String {
    format!(
        "associative list with keys has an element that omits key field {key:?} (and doesn't have default value)"
    )
}

fn keyed(field: &'static Field, item: &Value) -> Result<Element, String> {
    let empty = Map::new();
    let item = item.as_object().unwrap_or(&empty);
    let mut pairs = Vec::new();
    for key in field.merge.list_map_keys() {
        match item.get(key).filter(|value| !value.is_null()) {
            Some(value) => pairs.push((key, value.clone())),
            // The one key with a default in the API.
            None if key == "protocol" => pairs.push((key, "TCP".into())),
            None => return Err(omitted(key)),
        }
    }
    Ok(key_of(pairs))
}
