//! Which types go with which.

use crate::cel::types::Type;
use std::sync::Arc;

/// What the letters of a signature stand for.
#[derive(Default)]
pub(super) struct Bindings(Vec<(char, Type)>);

// === impl Bindings ===

impl Bindings {
    /// Whether an argument of this type may stand where the signature wants another; learns the letters.
    pub(super) fn accepts(&mut self, wanted: &Type, found: &Type) -> bool {
        match (wanted, found) {
            (Type::Param(letter), found) => self.bind(*letter, found),
            (Type::Dyn, _) | (_, Type::Dyn) => true,
            (Type::List(wanted), Type::List(found))
            | (Type::Optional(wanted), Type::Optional(found)) => self.accepts(wanted, found),
            (Type::Map(key, value), Type::Map(found_key, found_value)) => {
                self.accepts(key, found_key) && self.accepts(value, found_value)
            }
            (wanted, found) => wanted == found || null_goes_with(wanted, found),
        }
    }

    /// The type with its letters replaced.
    pub(super) fn fill(&self, ty: &Type) -> Type {
        match ty {
            Type::Param(letter) => {
                let known = self.0.iter().find(|(known, _)| known == letter);
                known.map_or(Type::Dyn, |(_, ty)| ty.clone())
            }
            Type::List(of) => Type::list(self.fill(of)),
            Type::Optional(of) => Type::Optional(Arc::new(self.fill(of))),
            Type::Map(key, value) => {
                Type::Map(Arc::new(self.fill(key)), Arc::new(self.fill(value)))
            }
            other => other.clone(),
        }
    }

    fn bind(&mut self, letter: char, found: &Type) -> bool {
        match self.0.iter_mut().find(|(known, _)| *known == letter) {
            None => {
                self.0.push((letter, found.clone()));
                true
            }
            Some((_, known)) => match join(known, found) {
                Some(joined) => {
                    *known = joined;
                    true
                }
                None => false,
            },
        }
    }
}

/// The type that both are, if there is one.
pub(super) fn join(a: &Type, b: &Type) -> Option<Type> {
    Some(match (a, b) {
        (Type::Dyn, _) | (_, Type::Dyn) => Type::Dyn,
        (Type::List(a), Type::List(b)) => Type::list(join_inner(a, b)?),
        (Type::Optional(a), Type::Optional(b)) => Type::Optional(Arc::new(join_inner(a, b)?)),
        (Type::Map(ak, av), Type::Map(bk, bv)) => {
            Type::Map(Arc::new(join_inner(ak, bk)?), Arc::new(join_inner(av, bv)?))
        }
        (Type::Null, other) | (other, Type::Null) if null_goes_with(other, &Type::Null) => {
            other.clone()
        }
        (a, b) => (a == b).then(|| a.clone())?,
    })
}

/// The type of an empty literal is not known: that of the other counts.
fn join_inner(a: &Type, b: &Type) -> Option<Type> {
    match (a, b) {
        (Type::Dyn, other) | (other, Type::Dyn) => Some(other.clone()),
        (a, b) => join(a, b),
    }
}

/// Objects and times may be null.
fn null_goes_with(wanted: &Type, found: &Type) -> bool {
    let may = |ty: &Type| {
        matches!(
            ty,
            Type::Object(_) | Type::Opaque(_) | Type::Timestamp | Type::Duration | Type::Null
        )
    };
    (*found == Type::Null && may(wanted)) || (*wanted == Type::Null && may(found))
}
