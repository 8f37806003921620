//! Objects that an expression makes: `Object{spec: Object.spec{replicas: 1}}`, `JSONPatch{op: "remove", path: "/a"}`.

use super::{Checker, Info};
use crate::cel::ast::Field;
use crate::cel::cost::{MAP_BASE, Range};
use crate::cel::types::Type;

/// The root of all objects.
const OBJECT: &str = "Object";
/// One operation of a JSON patch.
const JSON_PATCH: &str = "JSONPatch";

// === impl Checker ===

impl Checker {
    pub(super) fn message(&mut self, name: &str, fields: &[Field], at: u32) -> Info {
        let is_object = name == OBJECT || name.starts_with("Object.");
        if !self.patches || !(is_object || name == JSON_PATCH) {
            return self.mistake(at, format!("undeclared reference to '{name}' (in container '')"));
        }
        let mut cost = Range::fixed(MAP_BASE);
        for field in fields {
            let info = self.expr(&field.value);
            cost = cost.plus(info.cost);
            let ty = match info.ty {
                Type::Optional(inner) if field.optional => (*inner).clone(),
                other => other,
            };
            if is_object {
                self.belongs(name, &field.name, &ty);
            } else {
                self.operation(&field.name, &ty, field.value.at);
            }
        }
        let count = Range::fixed(u64::try_from(fields.len()).unwrap_or(u64::MAX));
        Info { size: count, cost, ..Info::new(Type::Message(name.into())) }
    }

    /// An object under a field has the type that the field's path says. Kubernetes finds out when the expression is
    /// evaluated: so it is said then.
    fn belongs(&mut self, parent: &str, field: &str, found: &Type) {
        let inner = match found {
            Type::List(inner) | Type::Map(_, inner) | Type::Optional(inner) => inner,
            other => other,
        };
        let Type::Message(name) = inner else { return };
        let expected = format!("{parent}.{field}");
        if **name != *expected && self.mismatch.is_none() {
            self.mismatch = Some(format!(
                "unexpected type name {name:?}, expected {expected:?}, which matches field name path from root Object type"
            ));
        }
    }

    fn operation(&mut self, field: &str, found: &Type, at: u32) {
        match field {
            "value" => {}
            "op" | "path" | "from" if matches!(found, Type::String | Type::Dyn) => {}
            "op" | "path" | "from" => {
                let text = format!(
                    "expected type of field '{field}' is 'string' but provided type is '{found}'"
                );
                self.mistake(at, text);
            }
            other => _ = self.mistake(at, format!("undefined field '{other}'")),
        }
    }
}
