//! One field of a message.

use serde_json::{Map, Value};

use super::{MessageRef, Schema};

/// A field of the built-in schema.
pub type FieldRef = &'static Field;

/// A field: names, type and merge markers.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON; empty for a part whose fields stand in the message itself.
    pub name: &'static str,
    /// Its number in protobuf; 0 for `apiVersion` and `kind`, which travel in the envelope.
    pub number: u32,
    /// Whether it holds one value, a list or a map with string keys.
    pub cardinality: Cardinality,
    /// The type of its value, or of each element.
    pub ty: Type,
    /// How it merges.
    pub merge: Merge,
    pub(super) flags: Flags,
    /// Where its value, or the first of its inlined part, stands among the fields its message has in JSON.
    pub(super) offset: u16,
    pub(super) go_type: Option<&'static str>,
}

/// How many values a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// One value.
    One,
    /// A list.
    List,
    /// A map from strings.
    Map,
}

/// The type of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    String,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// True or false.
    Bool,
    /// A floating-point number.
    Double,
    /// Bytes, in JSON as base64.
    Bytes,
    /// A point in time, to the second (`metav1.Time`).
    Time,
    /// A point in time, to the microsecond (`metav1.MicroTime`).
    MicroTime,
    /// An amount with a suffix, in JSON a string (`resource.Quantity`).
    Quantity,
    /// A number or a string (`intstr.IntOrString`).
    IntOrString,
    /// Any object (`runtime.RawExtension`).
    RawExtension,
    /// The field set of a manager (`metav1.FieldsV1`).
    FieldsV1,
    /// Any JSON (`apiextensions.JSON`).
    Json,
    /// One schema or a list of them.
    SchemaOrArray,
    /// A schema or a boolean.
    SchemaOrBool,
    /// A schema or a list of property names.
    SchemaOrStrings,
    /// A named list of strings, which protobuf wraps in a message (`authentication.ExtraValue`).
    StringList,
    /// Another message; see [`Field::message`].
    Message(u16),
}

/// How the elements of a list are told apart when it is applied (`x-kubernetes-list-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// Nothing is said: the list is replaced as a whole.
    #[default]
    Unset,
    /// The list is replaced as a whole.
    Atomic,
    /// Elements are scalars, each at most once.
    Set,
    /// Elements are objects, told apart by [`Merge::list_map_keys`].
    Map,
}

/// What a strategic merge patch does with a field (`x-kubernetes-patch-strategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists merge by [`Merge::patch_merge_key`], lists of scalars as sets.
    pub merge: bool,
    /// Keys not named in the patch are removed.
    pub retain_keys: bool,
    /// The value is replaced as a whole.
    pub replace: bool,
}

/// The merge markers of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merge {
    /// How a list is applied.
    pub list_type: ListType,
    keys: &'static str,
    /// Whether a map or an object is applied as a whole, at this field (`x-kubernetes-map-type: atomic`).
    pub map_atomic: bool,
    /// Whether it is applied key by key in spite of its type being atomic (`granular`).
    pub map_granular: bool,
    /// What a strategic merge patch does.
    pub patch_strategy: PatchStrategy,
    /// The key by which a strategic merge patch tells elements apart.
    pub patch_merge_key: Option<&'static str>,
}

/// How the Go type declares a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) pointer: bool,
    pub(super) omit_empty: bool,
    pub(super) inline: bool,
}

// === impl Field ===

impl Field {
    /// The message its values are, if they are messages.
    #[must_use]
    pub fn message(&self) -> Option<MessageRef> {
        match self.ty {
            Type::Message(index) => Some(Schema::builtin().message_at(index)),
            _ => None,
        }
    }

    /// Whether a list of it is applied element by element, or a map or object key by key.
    #[must_use]
    pub fn is_granular(&self) -> bool {
        match self.cardinality {
            Cardinality::List => matches!(self.merge.list_type, ListType::Set | ListType::Map),
            Cardinality::Map => !self.merge.map_atomic,
            Cardinality::One => {
                let atomic =
                    self.merge.map_atomic || self.message().is_none_or(|message| message.atomic);
                self.message().is_some() && (self.merge.map_granular || !atomic)
            }
        }
    }

    /// Whether an object may go without it, as far as its Go type tells.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.flags.omit_empty || self.flags.pointer
    }

    /// Whether Kubernetes leaves this value out of what it writes.
    pub(super) fn drops(&self, value: &Value) -> bool {
        if self.flags.pointer || !self.flags.omit_empty {
            return false;
        }
        match (self.cardinality, value) {
            (Cardinality::List, Value::Array(list)) => list.is_empty(),
            (Cardinality::Map, Value::Object(map)) => map.is_empty(),
            (Cardinality::One, value) => self.ty.is_scalar() && is_zero(value),
            _ => false,
        }
    }

    /// What Kubernetes writes for it when nobody gave a value.
    pub(super) fn fill(&self) -> Option<Value> {
        if self.flags.pointer {
            return None;
        }
        let always = !self.flags.omit_empty;
        match (self.cardinality, self.ty) {
            // Go writes null here; readers of all languages do better with what it stands for.
            (Cardinality::List, _) => always.then(|| Value::Array(Vec::new())),
            (Cardinality::Map, _) => always.then(|| Value::Object(Map::new())),
            (_, Type::Quantity | Type::IntOrString | Type::Message(_)) => Some(self.ty.zero()),
            (_, Type::Bytes) => None,
            (_, ty) => (always && ty.is_scalar()).then(|| ty.zero()),
        }
    }

    /// The type as Go prints it; of each element, if asked for.
    pub(super) fn go_type(&self, element: bool) -> String {
        let whole = self.go_type.map_or_else(
            || match self.cardinality {
                Cardinality::One => self.ty.go_type(),
                Cardinality::List => format!("[]{}", self.ty.go_type()),
                Cardinality::Map => format!("map[string]{}", self.ty.go_type()),
            },
            str::to_owned,
        );
        match (element, whole.split_once(']')) {
            (true, Some((_, element))) => element.to_owned(),
            (true, None) if self.cardinality != Cardinality::One => self.ty.go_type(),
            _ => whole,
        }
    }
}

// === impl Type ===

impl Type {
    /// Whether it is a plain value in Go: empty when zero.
    pub(super) fn is_scalar(self) -> bool {
        matches!(
            self,
            Self::String | Self::Int32 | Self::Int64 | Self::Bool | Self::Double | Self::Bytes
        )
    }

    /// The JSON of Go's zero value.
    pub(super) fn zero(self) -> Value {
        match self {
            Self::String | Self::Bytes => Value::String(String::new()),
            Self::Quantity => Value::String("0".to_owned()),
            Self::Int32 | Self::Int64 | Self::Double | Self::IntOrString => Value::from(0),
            Self::Bool => Value::Bool(false),
            Self::Message(index) => Schema::builtin().message_at(index).zero(),
            _ => Value::Null,
        }
    }

    fn go_type(self) -> String {
        match self {
            Self::String => "string",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Bool => "bool",
            Self::Double => "float64",
            Self::Bytes => "[]uint8",
            Self::Time => "v1.Time",
            Self::MicroTime => "v1.MicroTime",
            Self::Quantity => "resource.Quantity",
            Self::IntOrString => "intstr.IntOrString",
            Self::RawExtension => "runtime.RawExtension",
            Self::FieldsV1 => "v1.FieldsV1",
            Self::Json => "v1.JSON",
            Self::SchemaOrArray => "v1.JSONSchemaPropsOrArray",
            Self::SchemaOrBool => "v1.JSONSchemaPropsOrBool",
            Self::SchemaOrStrings => "v1.JSONSchemaPropsOrStringArray",
            Self::StringList => "v1.ExtraValue",
            Self::Message(index) => return Schema::builtin().message_at(index).go_type(),
        }
        .to_owned()
    }
}

// === impl PatchStrategy ===

impl PatchStrategy {
    /// As the marker writes it: `merge`, `merge,retainKeys`; none if nothing is said.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match (self.merge, self.retain_keys, self.replace) {
            (true, true, _) => Some("merge,retainKeys"),
            (true, false, _) => Some("merge"),
            (false, true, _) => Some("retainKeys"),
            (false, false, true) => Some("replace"),
            (false, false, false) => None,
        }
    }
}

// === impl Merge ===

impl Merge {
    pub(super) fn new(columns: [&'static str; 5]) -> Option<Self> {
        let [list_type, keys, map_type, strategy, merge_key] = columns;
        Some(Self {
            list_type: match list_type {
                "" => ListType::Unset,
                "atomic" => ListType::Atomic,
                "set" => ListType::Set,
                "map" => ListType::Map,
                _ => return None,
            },
            keys,
            map_atomic: map_type == "atomic",
            map_granular: map_type == "granular",
            patch_strategy: PatchStrategy {
                merge: strategy.split(',').any(|word| word == "merge"),
                retain_keys: strategy.split(',').any(|word| word == "retainKeys"),
                replace: strategy == "replace",
            },
            patch_merge_key: Some(merge_key).filter(|key| !key.is_empty()),
        })
    }

    /// The fields that tell the elements of a [`ListType::Map`] apart.
    pub fn list_map_keys(&self) -> impl Iterator<Item = &'static str> {
        self.keys.split_terminator(',')
    }
}

/// Whether a JSON scalar is Go's zero value.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    }
}
