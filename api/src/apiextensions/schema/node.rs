//! The compiled form of a schema.

use super::format::Format;
use super::rules::Rule;
use serde_json::Value;
use std::sync::Arc;

/// A text that stands only once in a schema, however often it is used.
pub(super) type Name = Arc<str>;

/// One schema: of a value in its place, or of what it must be in addition (`allOf` and the like).
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// Sorted by name. What stands in several places is there once, unless there are rules in it.
    pub(super) properties: Arc<[(Name, Node)]>,
    pub(super) items: Option<Box<Node>>,
    /// The schema of properties that are not named.
    pub(super) rest: Option<Box<Rest>>,
    /// What a value must be, in the order in which it is checked.
    pub(super) checks: Box<[Check]>,
    pub(super) more: Option<Box<More>>,
    pub(super) ty: Type,
    pub(super) list: ListType,
    pub(super) flags: Flags,
}

/// What few nodes have.
#[derive(Debug, Default)]
pub(super) struct More {
    pub(super) default: Option<Value>,
    pub(super) list_map_keys: Box<[Name]>,
    pub(super) rules: Box<[Rule]>,
}

/// What may stand under names that are not declared.
#[derive(Debug)]
pub(super) enum Rest {
    /// `additionalProperties: true` or `false`.
    Allowed(bool),
    /// Values of this schema.
    Schema(Node),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Type {
    #[default]
    Unset,
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ListType {
    #[default]
    Atomic,
    Set,
    Map,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags(u8);

/// One requirement of a value.
#[derive(Debug)]
pub(super) enum Check {
    AnyOf(Box<[Node]>),
    OneOf(Box<[Node]>),
    AllOf(Box<[Node]>),
    Not(Box<Node>),
    MaxLength(i64),
    MinLength(i64),
    Pattern(Name),
    Format(Format),
    MultipleOf(f64),
    Maximum { limit: f64, exclusive: bool },
    Minimum { limit: f64, exclusive: bool },
    MinItems(i64),
    MaxItems(i64),
    Enum(Box<[Value]>),
    MinProperties(i64),
    MaxProperties(i64),
    Required(Box<[Name]>),
}

// === impl Node ===

impl Node {
    pub(super) fn property(&self, name: &str) -> Option<&Self> {
        let found = self.properties.binary_search_by_key(&name, |(known, _)| known);
        found.ok().map(|at| &self.properties[at].1)
    }

    /// The schema of properties that are not named.
    pub(super) fn additional(&self) -> Option<&Self> {
        match self.rest.as_deref() {
            Some(Rest::Schema(node)) => Some(node),
            _ => None,
        }
    }

    /// The schema of the value under a name, if it has one.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        self.property(name).or_else(|| self.additional())
    }

    pub(super) fn default(&self) -> Option<&Value> {
        self.more.as_ref()?.default.as_ref()
    }

    pub(super) fn list_map_keys(&self) -> &[Name] {
        self.more.as_ref().map_or(&[], |more| &more.list_map_keys)
    }

    pub(super) fn rules(&self) -> &[Rule] {
        self.more.as_ref().map_or(&[], |more| &more.rules)
    }

    pub(super) fn additional_mut(&mut self) -> Option<&mut Self> {
        match self.rest.as_deref_mut() {
            Some(Rest::Schema(node)) => Some(node),
            _ => None,
        }
    }

    pub(super) fn has(&self, flag: Flags) -> bool {
        self.flags.0 & flag.0 != 0
    }

    pub(super) fn is_nullable(&self) -> bool {
        self.has(Flags::NULLABLE)
    }

    pub(super) fn is_embedded(&self) -> bool {
        self.has(Flags::EMBEDDED)
    }

    pub(super) fn format(&self) -> Option<Format> {
        self.checks.iter().find_map(|check| match check {
            Check::Format(format) => Some(*format),
            _ => None,
        })
    }
}

// === impl Flags ===

impl Flags {
    pub(super) const NULLABLE: Self = Self(1);
    pub(super) const PRESERVE: Self = Self(2);
    pub(super) const EMBEDDED: Self = Self(4);
    pub(super) const INT_OR_STRING: Self = Self(8);
    pub(super) const ATOMIC_MAP: Self = Self(16);
    /// There are rules here or below.
    pub(super) const HAS_RULES: Self = Self(32);

    pub(super) fn set(&mut self, flag: Self, on: bool) {
        self.0 |= if on { flag.0 } else { 0 };
    }
}

// === impl Type ===

impl Type {
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => Self::Unset,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unset => "",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }
}
