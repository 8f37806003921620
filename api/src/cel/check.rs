//! Types of expressions, and what they cost at worst. Both are found on one way through.

mod call;
mod macros;
mod message;
mod operators;
mod unify;

use super::ast::{Element, Entry, Expr, Kind};
use super::authz::{AUTHORIZER, REQUEST_RESOURCE, RESOURCE_CHECK};
use super::cost::{LIST_BASE, MAP_BASE, Range};
use super::error::Mistake;
use super::types::{Declared, Type};
use super::value::Literal;
use std::sync::Arc;

/// What is known of an expression before it is evaluated.
#[derive(Clone, Debug)]
pub(super) struct Info {
    pub(super) ty: Type,
    /// What a schema declares of the value, if it is one of the object.
    pub(super) declared: Option<Arc<Declared>>,
    pub(super) size: Range,
    /// The size of keys and of elements or values, of what is computed.
    pub(super) entries: Option<(Range, Range)>,
    pub(super) cost: Range,
    /// The number, if it stands in the source.
    pub(super) literal_int: Option<u64>,
}

/// A variable that expressions may read.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// What a schema declares of it.
    pub declared: Option<Arc<Declared>>,
}

pub(super) struct Checker {
    scopes: Vec<(Box<str>, Info)>,
    mistakes: Vec<Mistake>,
    patches: bool,
    mismatch: Option<String>,
}

const TYPE_NAMES: [&str; 12] = [
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
];

/// The type and the cost of an expression, and where it makes an object of the wrong type. `patches`: it may make
/// objects.
pub(super) fn check(
    expr: &Expr,
    variables: &[Variable],
    patches: bool,
) -> Result<(Info, Option<String>), Vec<Mistake>> {
    let scope = |variable: &Variable| {
        let info = match &variable.declared {
            Some(declared) => Info::declared(declared, variable.ty.clone()),
            None => Info::new(variable.ty.clone()),
        };
        (variable.name.into(), info)
    };
    let scopes = variables.iter().map(scope).collect();
    let mut checker = Checker { scopes, mistakes: Vec::new(), patches, mismatch: None };
    let info = checker.expr(expr);
    if checker.mistakes.is_empty() { Ok((info, checker.mismatch)) } else { Err(checker.mistakes) }
}

// === impl Info ===

impl Info {
    pub(super) fn new(ty: Type) -> Self {
        let size = if ty.is_scalar() { Range::ONE } else { Range::UNKNOWN };
        Self { ty, declared: None, size, entries: None, cost: Range::ZERO, literal_int: None }
    }

    fn declared(declared: &Arc<Declared>, ty: Type) -> Self {
        let size = Range::up_to(declared.max_elements);
        Self { declared: Some(Arc::clone(declared)), size, ..Self::new(ty) }
    }

    /// A part of a value that a schema may declare.
    fn part(declared: Option<&Arc<Declared>>, ty: Type) -> Self {
        declared.map_or_else(|| Self::new(ty.clone()), |part| Self::declared(part, ty.clone()))
    }

    fn with_cost(self, cost: Range) -> Self {
        Self { cost, ..self }
    }

    fn with_size(self, size: Range) -> Self {
        Self { size, ..self }
    }

    /// An element of this list, if it is one.
    pub(super) fn element(&self) -> Option<Self> {
        let Type::List(of) = &self.ty else { return None };
        let declared = self.declared.as_ref().and_then(|declared| declared.element());
        let part = Self::part(declared, (**of).clone());
        let size = self.entries.map(|(_, value)| value).filter(|_| declared.is_none());
        Some(match size {
            Some(size) => part.with_size(size),
            None => part,
        })
    }
}

// === impl Checker ===

impl Checker {
    fn mistake(&mut self, at: u32, text: impl Into<String>) -> Info {
        self.mistakes.push(Mistake { at, text: text.into() });
        Info::new(Type::Dyn)
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Info {
        match &expr.kind {
            Kind::Literal(literal) => literal_info(literal),
            Kind::Ident(name) => self.ident(name, expr.at),
            Kind::Select { operand, field, optional } => {
                let operand = self.expr(operand);
                let info = self.select(operand, field, expr.at);
                if *optional { wrap(info) } else { info }
            }
            Kind::Has { operand, field } => {
                let operand = self.expr(operand);
                let cost = operand.cost;
                self.select(operand, field, expr.at);
                Info::new(Type::Bool).with_cost(cost)
            }
            Kind::Index { operands, optional } => {
                let [operand, index] = &**operands;
                let (operand, index) = (self.expr(operand), self.expr(index));
                let info = self.index(operand, &index, expr.at);
                if *optional { wrap(info) } else { info }
            }
            Kind::Call { function, target, args } => {
                self.call(function, target.as_deref(), args, expr.at)
            }
            Kind::Not(operand) => self.unary("!_", operand, expr.at),
            Kind::Negate(operand) => self.unary("-_", operand, expr.at),
            Kind::And(all) => self.logical("_&&_", all),
            Kind::Or(all) => self.logical("_||_", all),
            Kind::Binary(operator, operands) => self.binary(*operator, operands, expr.at),
            Kind::Conditional(parts) => self.conditional(parts, expr.at),
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Message { name, fields } => self.message(name, fields, expr.at),
            Kind::Macro(one) => self.expand(one, expr.at),
        }
    }

    fn ident(&mut self, name: &str, at: u32) -> Info {
        if let Some((_, info)) = self.scopes.iter().rev().find(|(known, _)| **known == *name) {
            return info.clone().with_cost(Range::ONE);
        }
        if TYPE_NAMES.contains(&name) {
            return Info::new(Type::Type).with_size(Range::ONE).with_cost(Range::ONE);
        }
        self.mistake(at, format!("undeclared reference to '{name}' (in container '')"))
    }

    fn select(&mut self, operand: Info, field: &str, at: u32) -> Info {
        let cost = operand.cost.plus(Range::ONE);
        match &operand.ty {
            Type::Object(object) => match object.field(field) {
                Some(found) => {
                    let known = operand.declared.as_ref().map(|_| found);
                    Info::part(known, found.ty()).with_cost(cost)
                }
                None => self.mistake(at, format!("undefined field '{field}'")),
            },
            Type::Map(_, value) => Info::new((**value).clone()).with_cost(cost),
            Type::Message(_) => Info::new(Type::Dyn).with_cost(cost),
            Type::Opaque(AUTHORIZER) if field == REQUEST_RESOURCE => {
                Info::new(Type::Opaque(RESOURCE_CHECK)).with_cost(cost)
            }
            Type::Dyn | Type::Param(_) => Info::new(Type::Dyn).with_cost(operand.cost),
            Type::Optional(inner) => {
                let inner = Info { ty: (**inner).clone(), ..operand };
                wrap(self.select(inner, field, at))
            }
            other => self.mistake(at, format!("type '{other}' does not support field selection")),
        }
    }

    fn index(&mut self, operand: Info, index: &Info, at: u32) -> Info {
        let cost = operand.cost.plus(index.cost).plus(Range::ONE);
        let declared = operand.declared.as_ref().and_then(|declared| declared.element());
        let fits = |wanted: &Type| index.ty == *wanted || index.ty == Type::Dyn;
        let part = match &operand.ty {
            Type::List(of) if fits(&Type::Int) => Info::part(declared, (**of).clone()),
            Type::Map(key, value) if fits(key) || **key == Type::Dyn => {
                Info::part(declared, (**value).clone())
            }
            Type::Dyn => Info::new(Type::Dyn),
            Type::Optional(inner) => {
                let inner = Info { ty: (**inner).clone(), ..operand };
                return wrap(self.index(inner, index, at));
            }
            other => {
                let text = format!(
                    "found no matching overload for '_[_]' applied to '({other}, {})'",
                    index.ty
                );
                return self.mistake(at, text);
            }
        };
        let size = operand.entries.map(|(_, value)| value).filter(|_| declared.is_none());
        let size = size.unwrap_or(part.size);
        part.with_size(size).with_cost(cost)
    }

    fn list(&mut self, items: &[Element]) -> Info {
        let (mut cost, mut each, mut ty) = (Range::ZERO, None::<Range>, None::<Type>);
        for item in items {
            let mut info = self.expr(&item.value);
            cost = cost.plus(info.cost);
            each = Some(each.map_or(info.size, |each| each.union(info.size)));
            if item.optional {
                info.ty = match info.ty {
                    Type::Optional(inner) => (*inner).clone(),
                    other => other,
                };
            }
            ty = Some(self.same(ty, info.ty, item.value.at));
        }
        let count = Range::fixed(u64::try_from(items.len()).unwrap_or(u64::MAX));
        Info {
            size: count,
            entries: Some((Range::ONE, each.unwrap_or(Range::ZERO))),
            cost: cost.plus(Range::fixed(LIST_BASE)),
            ..Info::new(Type::list(ty.unwrap_or(Type::Dyn)))
        }
    }

    fn map(&mut self, entries: &[Entry]) -> Info {
        let (mut cost, mut sizes) = (Range::ZERO, None::<(Range, Range)>);
        let (mut keys, mut values) = (None, None);
        for entry in entries {
            let (key, value) = (self.expr(&entry.key), self.expr(&entry.value));
            cost = cost.plus(key.cost).plus(value.cost);
            sizes =
                Some(sizes.map_or((key.size, value.size), |(k, v)| {
                    (k.union(key.size), v.union(value.size))
                }));
            let value = match value.ty {
                Type::Optional(inner) if entry.optional => (*inner).clone(),
                other => other,
            };
            keys = Some(self.same(keys, key.ty, entry.key.at));
            values = Some(self.same(values, value, entry.value.at));
        }
        let count = Range::fixed(u64::try_from(entries.len()).unwrap_or(u64::MAX));
        let [key, value] = [keys, values].map(|ty| Arc::new(ty.unwrap_or(Type::Dyn)));
        Info {
            size: count,
            entries: Some(sizes.unwrap_or((Range::ZERO, Range::ZERO))),
            cost: cost.plus(Range::fixed(MAP_BASE)),
            ..Info::new(Type::Map(key, value))
        }
    }

    /// Elements of a literal have one type.
    fn same(&mut self, known: Option<Type>, found: Type, at: u32) -> Type {
        match known {
            None => found,
            Some(known) => unify::join(&known, &found).unwrap_or_else(|| {
                self.mistake(at, format!("expected type '{known}' but found '{found}'"));
                known
            }),
        }
    }
}

fn literal_info(literal: &Literal) -> Info {
    let length = |length: usize| Range::fixed(u64::try_from(length).unwrap_or(u64::MAX));
    match literal {
        Literal::Null => Info::new(Type::Null).with_size(Range::ONE),
        Literal::Bool(_) => Info::new(Type::Bool),
        Literal::Int(value) => {
            Info { literal_int: u64::try_from(*value).ok(), ..Info::new(Type::Int) }
        }
        Literal::Uint(_) => Info::new(Type::Uint),
        Literal::Double(_) => Info::new(Type::Double),
        Literal::String(text) => Info::new(Type::String).with_size(length(text.chars().count())),
        Literal::Bytes(bytes) => Info::new(Type::Bytes).with_size(length(bytes.len())),
    }
}

/// What may be missing is optional; once is enough.
fn wrap(info: Info) -> Info {
    match info.ty {
        Type::Optional(_) => info,
        ty => Info { ty: Type::Optional(Arc::new(ty)), ..info },
    }
}
