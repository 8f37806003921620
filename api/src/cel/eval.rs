//! Evaluation, with a budget: every step is paid for before it is done.

mod call;
mod convert;
mod equal;
mod lists;
mod macros;
mod operators;
mod time;

use super::ast::{Element, Entry, Expr, Field, Kind};
use super::cost::{LIST_BASE, MAP_BASE, scaled};
use super::error::EvalError;
use super::value::{Map, Value};
use regex::Regex;
use std::collections::VecDeque;
use std::rc::Rc;

pub(super) use equal::equal;

/// What went wrong is not always the end: `false && error` is false. Running out of budget is.
pub(super) type Outcome<'a> = Result<Value<'a>, EvalError>;

pub(super) struct Evaluation<'p, 'a> {
    scopes: Vec<(&'p str, Value<'a>)>,
    left: u64,
    /// The last regular expressions that the object says.
    patterns: VecDeque<(String, Regex)>,
}

// === impl Evaluation ===

impl<'p, 'a> Evaluation<'p, 'a> {
    pub(super) fn new(scopes: Vec<(&'p str, Value<'a>)>, budget: u64) -> Self {
        Self { scopes, left: budget, patterns: VecDeque::new() }
    }

    /// What is left of the budget.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn charge(&mut self, cost: u64) -> Result<(), EvalError> {
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(EvalError::Budget)
            }
        }
    }

    /// Pays for going over so many characters.
    fn charge_text(&mut self, characters: u64) -> Result<(), EvalError> {
        self.charge(scaled(characters, super::cost::TRAVERSAL))
    }

    pub(super) fn eval(&mut self, expr: &'p Expr) -> Outcome<'a> {
        match &expr.kind {
            Kind::Literal(literal) => Ok(literal.into()),
            Kind::Ident(name) => self.ident(name),
            Kind::Select { operand, field, optional } => {
                let operand = self.eval(operand)?;
                self.charge(1)?;
                select(&operand, field, *optional)
            }
            Kind::Has { operand, field } => {
                let operand = self.eval(operand)?;
                has(&operand, field).map(Value::Bool)
            }
            Kind::Index { operands, optional } => self.index(operands, *optional),
            Kind::Call { function, target, args } => self.call(function, target.as_deref(), args),
            Kind::Not(operand) => match self.eval_charged(operand)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                _ => Err(EvalError::no_overload()),
            },
            Kind::Negate(operand) => operators::negate(&self.eval_charged(operand)?),
            Kind::And(all) => self.logical(all, false),
            Kind::Or(all) => self.logical(all, true),
            Kind::Binary(operator, operands) => self.binary(*operator, operands),
            Kind::Conditional(parts) => {
                let [condition, yes, no] = &**parts;
                match self.eval(condition)? {
                    Value::Bool(true) => self.eval(yes),
                    Value::Bool(false) => self.eval(no),
                    _ => Err(EvalError::no_overload()),
                }
            }
            Kind::List(items) => self.list(items),
            Kind::Map(entries) => self.map(entries),
            Kind::Message { fields, .. } => self.message(fields),
            Kind::Macro(one) => self.expand(one),
        }
    }

    fn eval_charged(&mut self, expr: &'p Expr) -> Outcome<'a> {
        let value = self.eval(expr)?;
        self.charge(1)?;
        Ok(value)
    }

    fn ident(&mut self, name: &str) -> Outcome<'a> {
        self.charge(1)?;
        if let Some((_, value)) = self.scopes.iter().rev().find(|(known, _)| *known == name) {
            return Ok(value.clone());
        }
        Ok(Value::Type(match name {
            "int" => "int",
            "uint" => "uint",
            "double" => "double",
            "bool" => "bool",
            "string" => "string",
            "bytes" => "bytes",
            "list" => "list",
            "map" => "map",
            "null_type" => "null_type",
            "type" => "type",
            _ => return Err(EvalError::failed(format!("no such attribute(s): {name}"))),
        }))
    }

    /// The value that decides wins over mistakes beside it.
    fn logical(&mut self, all: &'p [Expr], decides: bool) -> Outcome<'a> {
        let mut mistake = None;
        for expr in all {
            match self.eval(expr) {
                Ok(Value::Bool(value)) if value == decides => return Ok(Value::Bool(decides)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => mistake = mistake.or(Some(EvalError::no_overload())),
                Err(EvalError::Budget) => return Err(EvalError::Budget),
                Err(error) => mistake = mistake.or(Some(error)),
            }
        }
        mistake.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn index(&mut self, operands: &'p [Expr; 2], optional: bool) -> Outcome<'a> {
        let operand = self.eval(&operands[0])?;
        let index = self.eval(&operands[1])?;
        self.charge(1)?;
        match operand {
            Value::Optional(None) => Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => {
                Ok(Value::Optional(at(&inner, &index).ok().map(Rc::new)))
            }
            operand if optional => Ok(Value::Optional(at(&operand, &index).ok().map(Rc::new))),
            operand => at(&operand, &index),
        }
    }

    fn list(&mut self, items: &'p [Element]) -> Outcome<'a> {
        self.charge(LIST_BASE)?;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            match (self.eval(&item.value)?, item.optional) {
                (Value::Optional(value), true) => {
                    values.extend(value.map(|value| (*value).clone()));
                }
                (value, _) => values.push(value),
            }
        }
        Ok(Value::list(values))
    }

    fn map(&mut self, entries: &'p [Entry]) -> Outcome<'a> {
        self.charge(MAP_BASE)?;
        let mut values: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = self.eval(&entry.key)?;
            if !matches!(key, Value::String(_) | Value::Int(_) | Value::Uint(_) | Value::Bool(_)) {
                return Err(EvalError::failed("unsupported key type"));
            }
            let value = match (self.eval(&entry.value)?, entry.optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(value)), true) => (*value).clone(),
                (value, _) => value,
            };
            if values.iter().any(|(known, _)| equal(known, &key)) {
                return Err(EvalError::failed("Failed with repeated key"));
            }
            values.push((key, value));
        }
        Ok(Value::Map(Map::Values(values.into())))
    }

    /// An object that is made; an optional field without a value is left out.
    fn message(&mut self, fields: &'p [Field]) -> Outcome<'a> {
        self.charge(MAP_BASE)?;
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let value = match (self.eval(&field.value)?, field.optional) {
                (Value::Optional(None), true) => continue,
                (Value::Optional(Some(value)), true) => (*value).clone(),
                (value, _) => value,
            };
            values.push((Value::text(&*field.name), value));
        }
        Ok(Value::Map(Map::Values(values.into())))
    }
}

/// A field of an object or an entry of a map.
fn select<'a>(operand: &Value<'a>, field: &str, optional: bool) -> Outcome<'a> {
    match operand {
        Value::Map(map) => match (map.get(field), optional) {
            (Some(value), false) => Ok(value),
            (None, false) => Err(EvalError::no_key(field)),
            (value, true) => Ok(Value::Optional(value.map(Rc::new))),
        },
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => match &**inner {
            Value::Map(map) => Ok(Value::Optional(map.get(field).map(Rc::new))),
            _ => Err(EvalError::no_overload()),
        },
        Value::Variables(variables) => variables.get(field),
        Value::Authz(authz) => authz.select(field).ok_or_else(|| EvalError::no_key(field)),
        _ => Err(EvalError::no_overload()),
    }
}

fn has(operand: &Value<'_>, field: &str) -> Result<bool, EvalError> {
    match operand {
        Value::Map(map) => Ok(map.get(field).is_some()),
        Value::Variables(variables) => Ok(variables.has(field)),
        Value::Optional(None) => Ok(false),
        Value::Optional(Some(inner)) => has(inner, field),
        _ => Err(EvalError::no_overload()),
    }
}

/// An element of a list or a value of a map.
fn at<'a>(operand: &Value<'a>, index: &Value<'_>) -> Outcome<'a> {
    match (operand, index) {
        (Value::List(list), index) => {
            let place = match index {
                Value::Int(at) => Some(*at),
                Value::Uint(at) => i64::try_from(*at).ok(),
                #[expect(clippy::cast_possible_truncation, reason = "whole")]
                Value::Double(at) if at.fract() == 0.0 => Some(*at as i64),
                _ => return Err(EvalError::no_overload()),
            };
            let found = place.and_then(|at| usize::try_from(at).ok()).and_then(|at| list.get(at));
            found.ok_or_else(|| {
                EvalError::failed(format!("index out of bounds: {}", place.unwrap_or(i64::MAX)))
            })
        }
        (Value::Map(map @ Map::Json(..)), Value::String(key)) => {
            map.get(key).ok_or_else(|| EvalError::no_key(&**key))
        }
        (Value::Map(map), key) => {
            let found = map.iter().find(|(known, _)| equal(known, key));
            found.map(|(_, value)| value).ok_or_else(|| EvalError::no_key(convert::shown(key)))
        }
        _ => Err(EvalError::no_overload()),
    }
}
