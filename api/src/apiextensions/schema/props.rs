//! A look at the JSON of a schema (`JSONSchemaProps`).

use crate::strategy::Map;
use serde_json::Value;

/// One schema as it stands in a definition. What has the wrong type counts as not set.
#[derive(Clone, Copy)]
pub(super) struct Props<'a>(&'a Map);

// === impl Props ===

impl<'a> Props<'a> {
    pub(super) fn new(map: &'a Map) -> Self {
        Self(map)
    }

    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn str(self, key: &str) -> &'a str {
        self.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn ty(self) -> &'a str {
        self.str("type")
    }

    pub(super) fn is(self, key: &str) -> bool {
        self.get(key) == Some(&Value::Bool(true))
    }

    pub(super) fn int(self, key: &str) -> Option<i64> {
        let number = self.get(key)?;
        #[expect(clippy::cast_possible_truncation, reason = "saturates, as far as a limit can")]
        number.as_i64().or_else(|| number.as_f64().map(|number| number as i64))
    }

    pub(super) fn number(self, key: &str) -> Option<f64> {
        self.get(key)?.as_f64()
    }

    pub(super) fn list(self, key: &str) -> &'a [Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(super) fn strings(self, key: &str) -> impl Iterator<Item = &'a str> {
        self.list(key).iter().filter_map(Value::as_str)
    }

    /// The schema that stands at this key.
    pub(super) fn schema(self, key: &str) -> Option<Self> {
        self.get(key).and_then(Value::as_object).map(Self)
    }

    /// The schemas in this list.
    pub(super) fn schemas(self, key: &str) -> impl Iterator<Item = Self> {
        self.list(key).iter().filter_map(Value::as_object).map(Self)
    }

    /// The schemas in this map, by name.
    pub(super) fn named(self, key: &str) -> impl Iterator<Item = (&'a str, Self)> {
        let map = self.get(key).and_then(Value::as_object);
        let schema = |(name, value): (&'a String, &'a Value)| {
            Some((name.as_str(), Self(value.as_object()?)))
        };
        map.into_iter().flatten().filter_map(schema)
    }

    pub(super) fn properties(self) -> impl Iterator<Item = (&'a str, Self)> {
        self.named("properties")
    }

    pub(super) fn property(self, name: &str) -> Option<Self> {
        self.schema("properties")?.schema(name)
    }

    /// Whether a key says anything: empty text, empty lists and `false` say nothing.
    pub(super) fn has(self, key: &str) -> bool {
        self.get(key).is_some_and(|value| match value {
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
            Value::Bool(on) => *on,
            _ => true,
        })
    }

    /// The keys that say something.
    pub(super) fn keys(self) -> impl Iterator<Item = &'a str> {
        self.0.keys().map(String::as_str).filter(move |key| self.has(key))
    }

    pub(super) fn value(self) -> Value {
        Value::Object(self.0.clone())
    }
}
