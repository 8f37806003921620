//! JSON read along its schema, as far as writing protobuf needs it: borrowed from the text where it can be.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

use crate::schema::{Cardinality, Field, FieldRef, MessageRef, Schema, Type};

/// A value.
#[derive(Debug)]
pub(super) enum Tree<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    /// From strings.
    Map(Vec<(Cow<'a, str>, Self)>),
    Message(Members<'a>),
    /// In the place of a field that is free-form.
    Raw(Box<RawValue>),
    /// An object where none belongs.
    Object,
}

/// The fields of a message that are there, those of inlined parts included. What the schema does not know is left out.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(Vec<(FieldRef, Tree<'a>)>);

/// Reads a value of which it is known what it should be.
#[derive(Clone, Copy)]
pub(super) enum Seed {
    /// A whole object.
    Root(MessageRef),
    /// The value of a field.
    Field(FieldRef),
    /// One element of a field that holds many.
    Element(Type),
}

/// A name in a message.
struct Name(MessageRef);

/// A name in a map.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

// === impl Members ===

impl<'a> Members<'a> {
    /// The value of a field, if it is there. Of one that is there twice the last counts.
    pub(super) fn get(&self, field: &Field) -> Option<&Tree<'a>> {
        let found = self.0.iter().rev().find(|(known, _)| std::ptr::eq(*known, field));
        found.map(|(_, value)| value).filter(|value| !matches!(value, Tree::Null))
    }
}

// === impl Seed ===

impl Seed {
    /// The type, where one value is wanted.
    fn one(self) -> Option<Type> {
        match self {
            Self::Field(field) if field.cardinality == Cardinality::One => Some(field.ty),
            Self::Element(ty) => Some(ty),
            Self::Root(_) | Self::Field(_) => None,
        }
    }

    /// The message that an object in its place is.
    fn message(self) -> Option<MessageRef> {
        match (self, self.one()) {
            (Self::Root(message), _) => Some(message),
            (_, Some(Type::Message(index))) => Some(Schema::builtin().message_at(index)),
            (_, Some(ty)) if is_schema(ty) => Some(crate::schema::decode::schema_props()),
            _ => None,
        }
    }

    /// What the elements of a list in its place are.
    fn element(self) -> Option<Self> {
        match (self, self.one()) {
            (Self::Field(field), None) if field.cardinality == Cardinality::List => {
                Some(Self::Element(field.ty))
            }
            (_, Some(Type::StringList)) => Some(Self::Element(Type::String)),
            (_, Some(ty)) if is_schema(ty) => Some(Self::Element(ty)),
            _ => None,
        }
    }
}

fn is_schema(ty: Type) -> bool {
    matches!(ty, Type::SchemaOrArray | Type::SchemaOrBool | Type::SchemaOrStrings)
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Tree<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree<'de>, D::Error> {
        match self.one() {
            Some(Type::RawExtension | Type::FieldsV1 | Type::Json) => {
                let raw = Box::<RawValue>::deserialize(deserializer)?;
                Ok(if raw.get() == "null" { Tree::Null } else { Tree::Raw(raw) })
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Int(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "a number so large is none but a float")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree<'de>, E> {
        Ok(i64::try_from(value).map_or(Tree::Float(value as f64), Tree::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree<'de>, E> {
        Ok(Tree::Float(value))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree<'de>, A::Error> {
        let Some(element) = self.element() else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Tree::List(Vec::new()));
        };
        let mut all = Vec::new();
        while let Some(value) = list.next_element_seed(element)? {
            all.push(value);
        }
        Ok(Tree::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree<'de>, A::Error> {
        if let Some(message) = self.message() {
            return members(message, map).map(Tree::Message);
        }
        let ty = match self {
            Self::Field(field) if field.cardinality == Cardinality::Map => field.ty,
            _ => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Tree::Object);
            }
        };
        let mut all = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            all.push((key, map.next_value_seed(Self::Element(ty))?));
        }
        Ok(Tree::Map(all))
    }
}

fn members<'de, A: MapAccess<'de>>(
    message: MessageRef,
    mut map: A,
) -> Result<Members<'de>, A::Error> {
    let mut all = Vec::new();
    while let Some(field) = map.next_key_seed(Name(message))? {
        match field {
            Some(field) => all.push((field, map.next_value_seed(Seed::Field(field))?)),
            None => _ = map.next_value::<IgnoredAny>()?,
        }
    }
    Ok(Members(all))
}

// === impl Name ===

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<FieldRef>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<FieldRef>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.field(name))
    }
}
