//! How values are owned when they are applied: as one or in parts.

use super::node::{Flags, ListType, Node, Rest, Type};
use serde_json::Value;

/// What server-side apply must know of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ownership<'a> {
    /// It has one owner.
    Whole,
    /// It is the metadata of a resource.
    Metadata,
    /// A resource: an object that has metadata.
    Resource(&'a Node),
    /// An object or a list that is owned in parts.
    Parts(&'a Node),
}

// === impl Ownership ===

impl<'a> Ownership<'a> {
    /// How a value of this schema is owned; none if the schema knows nothing of it.
    fn of(node: &'a Node) -> Option<Self> {
        let any = node.has(Flags::PRESERVE) && node.properties.is_empty() && node.rest.is_none();
        match node.ty {
            Type::Object if node.has(Flags::ATOMIC_MAP) => Some(Self::Whole),
            Type::Object if node.is_embedded() => Some(Self::Resource(node)),
            Type::Object | Type::Unset if any => None,
            Type::Object => Some(Self::Parts(node)),
            Type::Array if node.list != ListType::Atomic => Some(Self::Parts(node)),
            _ => Some(Self::Whole),
        }
    }

    /// How the value under a name, or an element of this list, is owned; none if nothing is known of it.
    pub(crate) fn child(self, name: &str) -> Option<Self> {
        match self {
            Self::Resource(_) if name == "metadata" => Some(Self::Metadata),
            Self::Resource(_) if matches!(name, "apiVersion" | "kind") => Some(Self::Whole),
            Self::Parts(node) if node.ty == Type::Array => Self::of(node.items.as_deref()?),
            Self::Parts(node) | Self::Resource(node) => Self::of(node.field(name)?),
            Self::Whole | Self::Metadata => Some(Self::Whole),
        }
    }

    /// Whether it is a list whose elements have owners of their own.
    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::Parts(node) if node.ty == Type::Array)
    }

    /// Whether its elements are told apart by keys.
    pub(crate) fn is_keyed(self) -> bool {
        matches!(self, Self::Parts(node) if node.list == ListType::Map)
    }

    /// Whether its keys are data.
    pub(crate) fn has_free_keys(self) -> bool {
        match self {
            Self::Parts(node) => {
                matches!(node.rest.as_deref(), Some(Rest::Schema(_) | Rest::Allowed(true)))
            }
            _ => false,
        }
    }

    /// The keys of the elements of this list, and what they are when they are not set.
    pub(crate) fn keys(self) -> impl Iterator<Item = (&'a str, Option<&'a Value>)> {
        let node = match self {
            Self::Parts(node) => Some(node),
            _ => None,
        };
        node.into_iter().flat_map(|node| {
            let default = |key: &str| node.items.as_deref()?.property(key)?.default();
            node.list_map_keys().iter().map(move |key| (&**key, default(key)))
        })
    }
}
