//! What expressions may know of the values of a schema: their types, and how large they can be.

use super::format::Format;
use super::node::{Check, Flags, Node, Rest, Type};
use crate::cel::types::{Declared, DeclaredKind};
use crate::cel::{self, Elements, Scalar, Shape, escape};
use std::sync::Arc;

/// The largest request, in bytes.
const MAX_REQUEST: u64 = 3 * 1024 * 1024;
const TIME_SIZE: u64 = 32;
const DATE_SIZE: u64 = 12;

/// What is declared of a value; `None` when expressions can't see it. The root and embedded resources have
/// kind and metadata, said or not.
pub(super) fn declared(node: &Node, is_resource: bool) -> Option<Arc<Declared>> {
    if node.has(Flags::INT_OR_STRING) {
        let most = max_length(node).map_or(MAX_REQUEST - 2, |most| most.saturating_mul(4));
        return Some(declare(DeclaredKind::Dyn, most, 1));
    }
    match node.ty {
        Type::Unset => None,
        Type::Array => list(node),
        Type::Object => match node.rest.as_deref() {
            Some(Rest::Schema(values)) => map(node, values),
            _ => Some(object(node, is_resource)),
        },
        Type::String => Some(text(node)),
        Type::Boolean => Some(scalar(cel::Type::Bool, 0, 4)),
        Type::Number => Some(scalar(cel::Type::Double, 0, 1)),
        Type::Integer => Some(scalar(cel::Type::Int, 0, 1)),
    }
}

/// How often at most a value with so many bytes at least can be in a request.
pub(super) fn max_cardinality(declared: &Declared) -> u64 {
    MAX_REQUEST / (declared.min_size + 1)
}

fn declare(kind: DeclaredKind, max_elements: u64, min_size: u64) -> Arc<Declared> {
    Arc::new(Declared { kind, max_elements, min_size })
}

fn scalar(ty: cel::Type, max_elements: u64, min_size: u64) -> Arc<Declared> {
    declare(DeclaredKind::Scalar(ty), max_elements, min_size)
}

fn list(node: &Node) -> Option<Arc<Declared>> {
    let items = node.items.as_deref()?;
    let of = declared(items, items.is_embedded())?;
    let most = limit(node, |check| match check {
        Check::MaxItems(limit) => Some(*limit),
        _ => None,
    });
    let most = most.unwrap_or_else(|| (MAX_REQUEST - 2) / (of.min_size + 1));
    Some(declare(DeclaredKind::List(of), most, 2))
}

fn map(node: &Node, values: &Node) -> Option<Arc<Declared>> {
    let of = declared(values, values.is_embedded())?;
    let most = limit(node, |check| match check {
        Check::MaxProperties(limit) => Some(*limit),
        _ => None,
    });
    let most = most.unwrap_or_else(|| (MAX_REQUEST - 2) / (of.min_size + 6));
    Some(declare(DeclaredKind::Map(of), most, 2))
}

fn object(node: &Node, is_resource: bool) -> Arc<Declared> {
    let mut fields: Vec<(Box<str>, Arc<Declared>)> = Vec::new();
    let mut size = 2;
    let required = |name: &str| {
        node.checks.iter().any(|check| match check {
            Check::Required(names) => names.iter().any(|known| **known == *name),
            _ => false,
        })
    };
    for (name, property) in &*node.properties {
        let implied = is_resource && super::prune::META_FIELDS.contains(&&**name);
        let Some(field) = (if implied { None } else { declared(property, property.is_embedded()) })
        else {
            continue;
        };
        if required(name) && property.default().is_none() {
            size += name.len() as u64 + field.min_size + 4;
        }
        if let Some(name) = escape(name) {
            fields.push((name.into_owned().into(), field));
        }
    }
    if is_resource {
        fields.extend(resource_fields());
    }
    fields.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    declare(DeclaredKind::Object(fields.into()), 0, size)
}

fn resource_fields() -> [(Box<str>, Arc<Declared>); 3] {
    let plain = || scalar(cel::Type::String, MAX_REQUEST - 2, 2);
    let names = ["generateName", "name"].map(|name| (name.into(), plain()));
    let metadata = declare(DeclaredKind::Object(names.into()), 0, 2);
    [("apiVersion".into(), plain()), ("kind".into(), plain()), ("metadata".into(), metadata)]
}

fn text(node: &Node) -> Arc<Declared> {
    let most = max_length(node);
    match node.format() {
        Some(Format::Byte) => scalar(cel::Type::Bytes, most.unwrap_or(MAX_REQUEST - 2), 2),
        Some(Format::Duration) => scalar(cel::Type::Duration, TIME_SIZE, 3),
        Some(Format::Date) => scalar(cel::Type::Timestamp, DATE_SIZE, DATE_SIZE),
        Some(Format::DateTime) => scalar(cel::Type::Timestamp, TIME_SIZE, 21),
        _ => {
            let most = most.map(|most| most.saturating_mul(4)).or_else(|| longest_name(node));
            scalar(cel::Type::String, most.unwrap_or(MAX_REQUEST - 2), 2)
        }
    }
}

fn longest_name(node: &Node) -> Option<u64> {
    node.checks.iter().find_map(|check| match check {
        Check::Enum(values) => {
            values.iter().filter_map(|value| value.as_str()).map(|text| text.len() as u64).max()
        }
        _ => None,
    })
}

fn max_length(node: &Node) -> Option<u64> {
    limit(node, |check| match check {
        Check::MaxLength(limit) => Some(*limit),
        _ => None,
    })
}

fn limit(node: &Node, of: impl Fn(&Check) -> Option<i64>) -> Option<u64> {
    node.checks.iter().find_map(of).map(|limit| u64::try_from(limit).unwrap_or(0))
}

// === impl Node ===

impl Shape for Node {
    fn scalar(&self) -> Scalar {
        match (self.ty, self.format()) {
            (Type::Number, _) => Scalar::Double,
            (Type::Integer, _) => Scalar::Int,
            (Type::String, Some(Format::DateTime)) => Scalar::Timestamp,
            (Type::String, Some(Format::Date)) => Scalar::Date,
            (Type::String, Some(Format::Duration)) => Scalar::Duration,
            (Type::String, Some(Format::Byte)) => Scalar::Bytes,
            _ => Scalar::Any,
        }
    }

    fn item(&self) -> Option<&dyn Shape> {
        self.items.as_deref().map(|node| node as &dyn Shape)
    }

    fn field(&self, name: &str) -> Option<&dyn Shape> {
        Node::field(self, name).map(|node| node as &dyn Shape)
    }

    fn is_struct(&self) -> bool {
        self.ty == Type::Object && self.additional().is_none()
    }

    fn elements(&self) -> Elements<'_> {
        match self.list {
            super::node::ListType::Atomic => Elements::Atomic,
            super::node::ListType::Set => Elements::Set,
            super::node::ListType::Map => Elements::Map(self.list_map_keys()),
        }
    }
}
