//! Values while an expression is evaluated. JSON is read in place: only what is computed is owned.

use super::authz::Authz;
use super::shape::{Elements, Scalar, Shape};
use super::variables::Variables;
use super::{duration, foreign};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value as Json;
use std::rc::Rc;
use std::sync::Arc;

/// A value that stands in the source.
#[derive(Clone, Debug)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
}

/// A value of the language.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `bool`
    Bool(bool),
    /// `int`
    Int(i64),
    /// `uint`
    Uint(u64),
    /// `double`
    Double(f64),
    /// `string`
    String(Text<'a>),
    /// `bytes`
    Bytes(Arc<[u8]>),
    /// `google.protobuf.Duration`, in nanoseconds.
    Duration(i64),
    /// `google.protobuf.Timestamp`
    Timestamp(Timestamp),
    /// `list`
    List(List<'a>),
    /// `map`, and every object.
    Map(Map<'a>),
    /// `optional_type`
    Optional(Option<Rc<Value<'a>>>),
    /// A value of one of Kubernetes' libraries: an address, a quantity, a URL, a version, a format.
    Foreign(foreign::Foreign),
    /// `authorizer`, and what is asked of it.
    Authz(Authz<'a>),
    /// `variables`
    Variables(Variables<'a>),
    /// A type.
    Type(&'static str),
}

/// Text: of the object, or computed.
#[derive(Clone, Debug)]
pub enum Text<'a> {
    /// Stands in the object.
    Borrowed(&'a str),
    /// Was computed, or stands in the source.
    Shared(Arc<str>),
}

/// A list: of the object, or computed.
#[derive(Clone, Debug)]
pub enum List<'a> {
    /// Stands in the object, with its shape.
    Json(&'a [Json], Option<&'a dyn Shape>),
    /// Was computed.
    Values(Rc<[Value<'a>]>),
}

/// A map: of the object, or computed.
#[derive(Clone, Debug)]
pub enum Map<'a> {
    /// Stands in the object, with its shape.
    Json(&'a serde_json::Map<String, Json>, Option<&'a dyn Shape>),
    /// Was computed.
    Values(Rc<[(Value<'a>, Value<'a>)]>),
}

// === impl Value ===

impl<'a> Value<'a> {
    /// Reads JSON. The shape tells texts that are times or bytes, numbers that are whole or not, and names
    /// of fields that are escaped.
    #[must_use]
    pub fn from_json(json: &'a Json, shape: Option<&'a dyn Shape>) -> Self {
        let scalar = shape.map_or(Scalar::Any, Shape::scalar);
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => number_of(number, scalar),
            Json::String(text) => text_of(text, scalar),
            Json::Array(items) => Self::List(List::Json(items, shape)),
            Json::Object(map) => Self::Map(Map::Json(map, shape)),
        }
    }

    /// Text that was computed.
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::String(Text::Shared(text.into()))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Values(items.into()))
    }

    pub(super) fn some(self) -> Self {
        Self::Optional(Some(Rc::new(self)))
    }

    /// What the language calls its type.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Optional(_) => "optional_type",
            Self::Foreign(value) => value.type_name(),
            Self::Authz(value) => value.type_name(),
            Self::Variables(_) => "kubernetes.variables",
            Self::Type(_) => "type",
        }
    }

    /// The length of what has one, and one for everything else: what work is reckoned by.
    pub(super) fn size(&self) -> u64 {
        let size = match self {
            Self::String(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::List(list) => list.len(),
            Self::Map(map) => map.len(),
            Self::Optional(Some(value)) => return value.size(),
            Self::Foreign(value) => return value.size(),
            _ => 1,
        };
        u64::try_from(size).unwrap_or(u64::MAX)
    }
}

impl From<&Literal> for Value<'_> {
    fn from(literal: &Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(value) => Self::Bool(*value),
            Literal::Int(value) => Self::Int(*value),
            Literal::Uint(value) => Self::Uint(*value),
            Literal::Double(value) => Self::Double(*value),
            Literal::String(text) => Self::String(Text::Shared(Arc::clone(text))),
            Literal::Bytes(bytes) => Self::Bytes(Arc::clone(bytes)),
        }
    }
}

// === impl Text ===

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

// === impl List ===

impl<'a> List<'a> {
    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Json(items, _) => items.len(),
            Self::Values(items) => items.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One element.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(items, shape) => {
                let shape = shape.and_then(Shape::item);
                items.get(at).map(|item| Value::from_json(item, shape))
            }
            Self::Values(items) => items.get(at).cloned(),
        }
    }

    /// All elements, made one by one.
    pub fn iter(&self) -> impl Iterator<Item = Value<'a>> + '_ {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// The shape of its elements.
    pub(super) fn item_shape(&self) -> Option<&'a dyn Shape> {
        match self {
            Self::Json(_, shape) => shape.and_then(Shape::item),
            Self::Values(_) => None,
        }
    }

    /// How its elements are told apart.
    pub(super) fn elements(&self) -> Elements<'a> {
        match self {
            Self::Json(_, Some(shape)) => shape.elements(),
            _ => Elements::Atomic,
        }
    }
}

// === impl Map ===

impl<'a> Map<'a> {
    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Json(map, _) => map.len(),
            Self::Values(entries) => entries.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value under a name; names of declared fields come escaped.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        match self {
            Self::Json(map, Some(shape)) if shape.is_struct() => {
                let name = super::escape::unescape(name)?;
                let value = map.get(&*name)?;
                let shape = shape.field(&name);
                Some(Value::from_json(value, shape))
            }
            Self::Json(map, shape) => {
                let shape = shape.and_then(|shape| shape.field(name));
                map.get(name).map(|value| Value::from_json(value, shape))
            }
            Self::Values(entries) => {
                let is = |key: &Value<'_>| matches!(key, Value::String(text) if **text == *name);
                entries.iter().find(|(key, _)| is(key)).map(|(_, value)| value.clone())
            }
        }
    }

    /// All entries, made one by one.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (Value<'a>, Value<'a>)> + '_> {
        match self {
            Self::Json(map, shape) => {
                let shape = *shape;
                let map: &'a serde_json::Map<String, Json> = map;
                Box::new(map.iter().map(move |(key, value)| {
                    let shape = shape.and_then(|shape| shape.field(key));
                    (Value::String(Text::Borrowed(key)), Value::from_json(value, shape))
                }))
            }
            Self::Values(entries) => Box::new(entries.iter().cloned()),
        }
    }
}

fn number_of<'a>(number: &serde_json::Number, scalar: Scalar) -> Value<'a> {
    let double = || Value::Double(number.as_f64().unwrap_or(f64::NAN));
    match (scalar, number.as_i64(), number.as_u64()) {
        (Scalar::Double, ..) => double(),
        (_, Some(value), _) => Value::Int(value),
        (_, None, Some(value)) => Value::Uint(value),
        #[expect(clippy::cast_possible_truncation, reason = "saturates; validation saw the range")]
        (Scalar::Int, ..) => Value::Int(number.as_f64().unwrap_or_default() as i64),
        _ => double(),
    }
}

fn text_of(text: &str, scalar: Scalar) -> Value<'_> {
    let found = match scalar {
        Scalar::Timestamp => text.parse().ok().map(Value::Timestamp),
        Scalar::Date => {
            let midnight = text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0));
            let instant = midnight.and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok());
            instant.map(|zoned| Value::Timestamp(zoned.timestamp()))
        }
        Scalar::Duration => duration::parse(text).map(Value::Duration),
        Scalar::Bytes => {
            use base64::Engine;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text);
            bytes.ok().map(|bytes| Value::Bytes(bytes.into()))
        }
        Scalar::Any | Scalar::Int | Scalar::Double => None,
    };
    found.unwrap_or(Value::String(Text::Borrowed(text)))
}
