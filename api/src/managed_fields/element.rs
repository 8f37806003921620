//! One step of a path.

use serde_json::Value;
use std::fmt;

/// A step from a value to a part of it. The order is that of `FieldsV1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// A field of an object.
    Field(Box<str>),
    /// The element of a list that has these keys: a JSON object, its keys sorted.
    Key(Box<str>),
    /// The element of a set that is this value: JSON.
    Value(Box<str>),
    /// The element at this place.
    Index(usize),
}

// === impl Element ===

impl Element {
    pub(crate) fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    /// Reads a key of `FieldsV1`: `f:name`, `k:{"name":"c"}`, `v:"x"`, `i:0`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_at_checked(2)?;
        Some(match kind {
            "f:" => Self::Field(rest.into()),
            "k:" => Self::Key(canonical_key(rest)?),
            "v:" => Self::Value(serde_json::from_str::<Value>(rest).ok()?.to_string().into()),
            "i:" => Self::Index(rest.parse().ok()?),
            _ => return None,
        })
    }

    /// The key of `FieldsV1`.
    pub(crate) fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => format!("k:{keys}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(at) => format!("i:{at}"),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(keys) => {
                let keys: serde_json::Map<String, Value> =
                    serde_json::from_str(keys).unwrap_or_default();
                let texts: Vec<_> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
                write!(f, "[{}]", texts.join(","))
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(at) => write!(f, "[{at}]"),
        }
    }
}

/// Keys and values as a JSON object with its keys sorted.
pub(crate) fn key_of<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Element {
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_unstable_by(|a, b| a.0.cmp(b.0));
    let map: serde_json::Map<_, _> = pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    Element::Key(Value::Object(map).to_string().into())
}

fn canonical_key(text: &str) -> Option<Box<str>> {
    let map: serde_json::Map<String, Value> = serde_json::from_str(text).ok()?;
    match key_of(map.iter().map(|(key, value)| (key.as_str(), value.clone()))) {
        Element::Key(key) => Some(key),
        _ => None,
    }
}
