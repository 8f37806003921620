//! Types, and what a schema declares of a value.

use std::fmt;
use std::sync::Arc;

/// A type of the language.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Not known before the evaluation.
    Dyn,
    /// `null_type`
    Null,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `uint`
    Uint,
    /// `double`
    Double,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `google.protobuf.Duration`
    Duration,
    /// `google.protobuf.Timestamp`
    Timestamp,
    /// `list(T)`
    List(Arc<Type>),
    /// `map(K, V)`
    Map(Arc<Type>, Arc<Type>),
    /// An object with declared fields.
    Object(Arc<Declared>),
    /// An object that an expression makes: `Object`, `Object.spec`, `JSONPatch`.
    Message(Arc<str>),
    /// A type of one of Kubernetes' libraries.
    Opaque(&'static str),
    /// `optional_type(T)`
    Optional(Arc<Type>),
    /// A type as a value.
    Type,
    /// In signatures: any type, the same wherever the letter stands.
    Param(char),
}

/// What is declared of a value: its type, how long it may be, and the same of its parts. It drives the
/// estimate of what an expression costs at worst.
#[derive(Debug, Default)]
pub struct Declared {
    /// The type; objects are named by their fields.
    pub(crate) kind: DeclaredKind,
    /// How many characters, elements or entries it may have.
    pub(crate) max_elements: u64,
    /// The size of its shortest form in JSON.
    pub(crate) min_size: u64,
}

/// The kinds of declarations.
#[derive(Debug, Default)]
pub(crate) enum DeclaredKind {
    #[default]
    Dyn,
    Scalar(Type),
    List(Arc<Declared>),
    Map(Arc<Declared>),
    /// Fields by escaped name, sorted.
    Object(Box<[(Box<str>, Arc<Declared>)]>),
}

// === impl Type ===

impl Type {
    pub(super) fn list(of: Self) -> Self {
        Self::List(Arc::new(of))
    }

    /// Whether its values have one size.
    pub(super) fn is_scalar(&self) -> bool {
        match self {
            Self::Optional(inner) => inner.is_scalar(),
            _ => matches!(
                self,
                Self::Bool
                    | Self::Double
                    | Self::Duration
                    | Self::Int
                    | Self::Timestamp
                    | Self::Uint
            ),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dyn => f.write_str("dyn"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Duration => f.write_str("duration"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::List(of) => write!(f, "list({of})"),
            Self::Map(key, value) => write!(f, "map({key}, {value})"),
            Self::Object(_) => f.write_str("object"),
            Self::Message(name) => f.write_str(name),
            Self::Opaque(name) => f.write_str(name),
            Self::Optional(of) => write!(f, "optional_type({of})"),
            Self::Type => f.write_str("type"),
            Self::Param(letter) => write!(f, "{letter}"),
        }
    }
}

// === impl Declared ===

impl Declared {
    /// The type of such a value.
    #[must_use]
    pub fn ty(self: &Arc<Self>) -> Type {
        match &self.kind {
            DeclaredKind::Dyn => Type::Dyn,
            DeclaredKind::Scalar(ty) => ty.clone(),
            DeclaredKind::List(item) => Type::list(item.ty()),
            DeclaredKind::Map(value) => Type::Map(Arc::new(Type::String), Arc::new(value.ty())),
            DeclaredKind::Object(_) => Type::Object(Arc::clone(self)),
        }
    }

    /// The declaration of a field, by its escaped name.
    pub(crate) fn field(&self, name: &str) -> Option<&Arc<Self>> {
        let DeclaredKind::Object(fields) = &self.kind else { return None };
        let found = fields.binary_search_by_key(&name, |(known, _)| known);
        found.ok().map(|at| &fields[at].1)
    }

    /// The declaration of the elements of a list or the values of a map.
    pub(crate) fn element(&self) -> Option<&Arc<Self>> {
        match &self.kind {
            DeclaredKind::List(of) | DeclaredKind::Map(of) => Some(of),
            _ => None,
        }
    }
}

impl PartialEq for Declared {
    /// Objects are the same when they are declared at the same place.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
