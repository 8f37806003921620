//! The visitor that walks a body along its schema.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{
    DecodeError, Mode, Slots,
    context::{Context, Segment},
    scalar::{self, Misfit},
};
use crate::schema::{Cardinality, FieldRef, MessageRef, Schema, Type};

/// One value to be read, and what is expected there.
pub(super) struct Node<'c> {
    context: &'c mut Context,
    want: Want,
    depth: u16,
}

/// How deeply values may be nested. The JSON reader stops before; values put together by patches may not.
const MAX_DEPTH: u16 = 256;

#[derive(Clone, Copy)]
enum Want {
    /// Anything; duplicate keys are reported.
    Untyped,
    /// Anything, in the place of a field that is free-form.
    Free,
    /// The object itself.
    Root(MessageRef),
    /// The value of a field, as a whole.
    Field(FieldRef),
    /// One element of a field that holds many.
    Element(FieldRef),
    /// A schema, or one of a list of schemas, in place of something else.
    Schema,
}

/// A key of a message.
struct Name(MessageRef);

enum Key {
    Known(u16),
    Unknown(String),
}

// === impl Node ===

impl<'c> Node<'c> {
    pub(super) fn untyped(context: &'c mut Context) -> Self {
        Self { context, want: Want::Untyped, depth: 0 }
    }

    pub(super) fn message(context: &'c mut Context, message: MessageRef) -> Self {
        Self { context, want: Want::Root(message), depth: 0 }
    }

    fn child(&mut self, want: Want) -> Node<'_> {
        Node { context: self.context, want, depth: self.depth + 1 }
    }

    /// The type of the value, if it is one value of a field.
    fn ty(&self) -> Option<Type> {
        match self.want {
            Want::Field(field) if field.cardinality == Cardinality::One => Some(field.ty),
            Want::Element(field) => Some(field.ty),
            _ => None,
        }
    }

    fn expected(&self) -> String {
        match self.want {
            Want::Untyped | Want::Free => "map[string]interface {}".to_owned(),
            Want::Root(message) => message.go_type(),
            Want::Field(field) => field.go_type(false),
            Want::Element(field) => field.go_type(true),
            Want::Schema => "v1.JSONSchemaProps".to_owned(),
        }
    }

    /// Whether strict errors may be found inside of a value, for which the way to it is remembered.
    fn is_strict(want: Want) -> bool {
        match want {
            Want::Free => false,
            Want::Element(field) => !field.ty.is_scalar() && field.ty != Type::Quantity,
            _ => true,
        }
    }

    fn check_depth<E: Error>(&mut self) -> Result<(), E> {
        match self.depth {
            0..MAX_DEPTH => Ok(()),
            _ => Err(self.context.fail(DecodeError::Depth)),
        }
    }

    /// Judges a scalar.
    fn scalar<E: Error>(
        self,
        found: &str,
        read: impl FnOnce(Type, Mode) -> Result<Value, Misfit>,
    ) -> Result<Value, E> {
        let misfit = match self.ty() {
            Some(ty) => match read(ty, self.context.mode) {
                Ok(value) => return Ok(value),
                Err(misfit) => misfit,
            },
            None => Misfit::Type(found.to_owned(), None),
        };
        Err(self.misfit(misfit))
    }

    fn misfit<E: Error>(self, misfit: Misfit) -> E {
        match misfit {
            Misfit::Value(text) => self.context.fail(DecodeError::Value(text)),
            Misfit::Type(found, wanted) => {
                let expected = wanted.map_or_else(|| self.expected(), str::to_owned);
                self.context.mismatch(found, expected)
            }
        }
    }

    /// Reads an object along a message.
    fn structure<'de, A: MapAccess<'de>>(
        mut self,
        message: MessageRef,
        mut map: A,
    ) -> Result<Value, A::Error> {
        let mut slots = Slots::new(message);
        let mut seen = 0_u128;
        while let Some(key) = map.next_key_seed(Name(message))? {
            let place = match key {
                Key::Known(place) => place,
                Key::Unknown(name) => {
                    self.context.unknown(&name);
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let field = message.flat_field(place);
            if seen & (1 << place) != 0 {
                self.context.duplicate(field.name);
            }
            seen |= 1 << place;
            self.context.push(Segment::Field(message.name, field.name));
            let value = map.next_value_seed(self.child(Want::Field(field)))?;
            self.context.pop();
            slots.set(place, value);
        }
        Ok(slots.into_object(message, self.context.mode))
    }

    /// Reads an object whose keys are data.
    fn map<'de, A: MapAccess<'de>>(mut self, want: Want, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let strict = Self::is_strict(want);
        while let Some(key) = map.next_key::<String>()? {
            if !matches!(want, Want::Free) && object.contains_key(&key) {
                self.context.duplicate(&key);
            }
            if strict {
                self.context.push(Segment::Key(key.clone()));
            }
            let value = map.next_value_seed(self.child(want))?;
            if strict {
                self.context.pop();
            }
            object.insert(key, null_as_zero(want, value));
        }
        if matches!(want, Want::Element(_)) {
            object.sort_keys();
        }
        Ok(Value::Object(object))
    }

    fn list<'de, A: SeqAccess<'de>>(mut self, want: Want, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            self.context.push(Segment::Index(values.len()));
            let value = list.next_element_seed(self.child(want))?;
            self.context.pop();
            match value {
                Some(value) => values.push(null_as_zero(want, value)),
                None => return Ok(Value::Array(values)),
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, reader: D) -> Result<Value, D::Error> {
        if let Some(Type::RawExtension | Type::FieldsV1 | Type::Json) = self.ty() {
            self.want = Want::Free;
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.expected())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        match self.want {
            Want::Untyped | Want::Free => Ok(Value::Bool(value)),
            _ => self.scalar("bool", |ty, _| scalar::boolean(ty, value)),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        match self.want {
            Want::Untyped | Want::Free => Ok(Value::from(value)),
            _ => self.scalar("number", |ty, mode| scalar::integer(ty, &Number::from(value), mode)),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        match self.want {
            Want::Untyped | Want::Free => Ok(Value::from(value)),
            _ => self.scalar("number", |ty, mode| scalar::integer(ty, &Number::from(value), mode)),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let Some(number) = Number::from_f64(value) else {
            return Err(E::custom("number out of range"));
        };
        match self.want {
            Want::Untyped | Want::Free => Ok(Value::Number(number)),
            _ => self.scalar("number", |ty, mode| scalar::float(ty, &number, mode)),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        match self.want {
            Want::Untyped | Want::Free => Ok(Value::String(value.to_owned())),
            _ => self.scalar("string", |ty, mode| scalar::string(ty, value, mode)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, list: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let want = match self.want {
            Want::Untyped | Want::Free => self.want,
            Want::Field(field) if field.cardinality == Cardinality::List => Want::Element(field),
            Want::Field(field) if field.cardinality == Cardinality::Map => {
                return Err(self.misfit(Misfit::Type("array".to_owned(), None)));
            }
            Want::Field(field) | Want::Element(field) => match field.ty {
                Type::SchemaOrArray => Want::Schema,
                Type::StringList | Type::SchemaOrStrings => Want::Element(strings()),
                ty => return Err(self.misfit(scalar::other(ty, "array"))),
            },
            Want::Root(_) | Want::Schema => {
                return Err(self.misfit(Misfit::Type("array".to_owned(), None)));
            }
        };
        self.list(want, list)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        match self.want {
            want @ (Want::Untyped | Want::Free) => self.map(want, map),
            Want::Root(message) => self.structure(message, map),
            Want::Field(field) if field.cardinality == Cardinality::Map => {
                self.map(Want::Element(field), map)
            }
            Want::Field(field) if field.cardinality == Cardinality::List => {
                Err(self.misfit(Misfit::Type("object".to_owned(), None)))
            }
            Want::Schema => self.structure(schema_props(), map),
            Want::Field(field) | Want::Element(field) => match field.ty {
                Type::Message(index) => self.structure(Schema::builtin().message_at(index), map),
                Type::SchemaOrArray | Type::SchemaOrBool | Type::SchemaOrStrings => {
                    self.structure(schema_props(), map)
                }
                ty => Err(self.misfit(scalar::other(ty, "object"))),
            },
        }
    }
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Key, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
        Ok(self.0.place(name).map_or_else(|| Key::Unknown(name.to_owned()), Key::Known))
    }
}

/// Go reads null among the elements of a list or map as the zero value.
fn null_as_zero(want: Want, value: Value) -> Value {
    match (want, value) {
        (Want::Element(field), Value::Null) => field.ty.zero(),
        (_, value) => value,
    }
}

/// The message of a JSON schema.
pub(in crate::schema) fn schema_props() -> MessageRef {
    const NAME: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
    Schema::builtin().message(NAME).expect("the table has JSONSchemaProps")
}

/// A field that is a list of plain strings.
fn strings() -> FieldRef {
    schema_props().field("required").expect("JSONSchemaProps has required")
}
