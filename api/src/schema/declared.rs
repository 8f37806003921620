//! The types of built-in kinds, as expressions see them.

use super::{Cardinality, Field, MessageRef, Type};
use crate::cel::types::{Declared, DeclaredKind};
use crate::cel::{self, escape};
use std::sync::Arc;

/// What is declared of the objects of a message. Where messages hold each other without end, nothing is known of the
/// inner one.
pub(crate) fn declared(message: MessageRef) -> Arc<Declared> {
    fields(message, &mut Vec::new())
}

fn fields(message: MessageRef, around: &mut Vec<MessageRef>) -> Arc<Declared> {
    if around.iter().any(|outer| std::ptr::eq(*outer, message)) {
        return of(DeclaredKind::Dyn);
    }
    around.push(message);
    let mut all: Vec<(Box<str>, Arc<Declared>)> = Vec::new();
    if message.is_kind {
        for name in ["apiVersion", "kind"] {
            all.push((name.into(), of(DeclaredKind::Scalar(cel::Type::String))));
        }
    }
    for field in message.fields() {
        if let Some(name) = escape(field.name)
            && !all.iter().any(|(known, _)| **known == *name)
        {
            all.push((name.into_owned().into(), value(field, around)));
        }
    }
    around.pop();
    all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    of(DeclaredKind::Object(all.into()))
}

fn value(field: &'static Field, around: &mut Vec<MessageRef>) -> Arc<Declared> {
    let one = match field.message() {
        Some(message) => fields(message, around),
        None => scalar(field.ty),
    };
    match field.cardinality {
        Cardinality::One => one,
        Cardinality::List => of(DeclaredKind::List(one)),
        Cardinality::Map => of(DeclaredKind::Map(one)),
    }
}

fn scalar(ty: Type) -> Arc<Declared> {
    let ty = match ty {
        Type::String => cel::Type::String,
        Type::Int32 | Type::Int64 => cel::Type::Int,
        Type::Bool => cel::Type::Bool,
        Type::Double => cel::Type::Double,
        Type::Bytes => cel::Type::Bytes,
        Type::Time | Type::MicroTime => cel::Type::Timestamp,
        // A number or a text, or anything at all.
        _ => return of(DeclaredKind::Dyn),
    };
    of(DeclaredKind::Scalar(ty))
}

fn of(kind: DeclaredKind) -> Arc<Declared> {
    Arc::new(Declared { kind, ..Declared::default() })
}
