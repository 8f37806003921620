//! YAML whose aliases do not grow without end: a few kilobytes of them can stand for gigabytes.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// How much a document may weigh once its aliases are written out: some times the longest body.
const LIMIT: usize = 16 << 20;
/// What each value weighs beside its text.
const NODE: usize = 8;

/// Reads a document.
pub(super) fn read(yaml: &[u8]) -> Result<Value, yaml_serde::Error> {
    let left = Cell::new(LIMIT);
    Bounded(&left).deserialize(yaml_serde::Deserializer::from_slice(yaml))
}

/// Reads a value, as long as there is something left.
#[derive(Clone, Copy)]
struct Bounded<'a>(&'a Cell<usize>);

// === impl Bounded ===

impl Bounded<'_> {
    fn take<E: Error>(self, weight: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(NODE + weight);
        self.0.set(left.ok_or_else(|| E::custom("document contains excessive aliasing"))?);
        Ok(())
    }

    fn scalar<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.take(0)?;
        Ok(value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.scalar(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.take(value.len())?;
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            self.take(key.len())?;
            map.insert(key, access.next_value_seed(self)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn aliases_are_written_out_within_limits() {
        let few = "a: &a {x: 1, 2: true, y: -3, z: 1.5}\nb: [*a, *a]\nc: ~\n";
        let a = json!({"x": 1, "2": true, "y": -3, "z": 1.5});
        assert_eq!(read(few.as_bytes()).expect("few"), json!({"a": a, "b": [a, a], "c": null}));
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(500));
        assert!(read(long.as_bytes()).expect_err("many").to_string().contains("aliasing"));
        assert!(read(b"a: [").is_err());
        let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        assert!(read(deep.as_bytes()).is_err(), "it ends before the stack does");
    }
}
