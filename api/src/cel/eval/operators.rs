//! Operators on values.

use super::equal::compare;
use super::{Evaluation, Outcome, equal};
use crate::cel::ast::{Expr, Operator};
use crate::cel::error::EvalError;
use crate::cel::shape::Elements;
use crate::cel::value::{List, Map, Value};
use jiff::{SignedDuration, Timestamp};
use std::cmp::Ordering;

// === impl Evaluation ===

impl<'p, 'a> Evaluation<'p, 'a> {
    pub(super) fn binary(&mut self, operator: Operator, operands: &'p [Expr; 2]) -> Outcome<'a> {
        let left = self.eval(&operands[0])?;
        let right = self.eval(&operands[1])?;
        let order = |wanted: fn(Ordering) -> bool| match compare(&left, &right) {
            Some(order) => Ok(Value::Bool(wanted(order))),
            None if both_numbers(&left, &right) => Ok(Value::Bool(false)),
            None => Err(EvalError::no_overload()),
        };
        match operator {
            Operator::Add => return self.add(&left, &right),
            Operator::In => return self.contained(&left, &right),
            Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Modulo => {
                self.charge(1)?;
                return arithmetic(operator, &left, &right);
            }
            _ => self.charge_compare(&left, &right)?,
        }
        match operator {
            Operator::Equals => Ok(Value::Bool(equal(&left, &right))),
            Operator::NotEquals => Ok(Value::Bool(!equal(&left, &right))),
            Operator::Less => order(Ordering::is_lt),
            Operator::LessEquals => order(Ordering::is_le),
            Operator::Greater => order(Ordering::is_gt),
            _ => order(Ordering::is_ge),
        }
    }

    /// A comparison costs with the smaller of both; all that is inside of lists and maps counts.
    fn charge_compare(&mut self, left: &Value<'_>, right: &Value<'_>) -> Result<(), EvalError> {
        let inside = match (left, right) {
            (Value::List(_) | Value::Map(_), Value::List(_) | Value::Map(_)) => {
                weight(left, self.left()).min(weight(right, self.left()))
            }
            _ => left.size().min(right.size()),
        };
        self.charge_text(inside)
    }

    fn add(&mut self, left: &Value<'a>, right: &Value<'a>) -> Outcome<'a> {
        match (left, right) {
            (Value::String(a), Value::String(b)) => {
                self.charge_text(left.size().saturating_add(right.size()))?;
                Ok(Value::text(format!("{}{}", &**a, &**b)))
            }
            (Value::Bytes(a), Value::Bytes(b)) => {
                self.charge_text(left.size().saturating_add(right.size()))?;
                Ok(Value::Bytes([&**a, &**b].concat().into()))
            }
            (Value::List(a), Value::List(b)) => {
                // Lists are copied here: that is paid for too.
                let count = left.size().saturating_add(right.size());
                self.charge(1)?;
                self.charge_text(count)?;
                self.join(a, b)
            }
            _ => {
                self.charge(1)?;
                arithmetic(Operator::Add, left, right)
            }
        }
    }

    /// Sets take what they don't have; of lists with keys, elements replace those with the same.
    fn join(&mut self, a: &List<'a>, b: &List<'a>) -> Outcome<'a> {
        let mut all: Vec<_> = a.iter().collect();
        let elements = a.elements();
        if !matches!(elements, Elements::Atomic) {
            self.charge(a.len() as u64 / 8 * b.len() as u64)?;
        }
        for item in b.iter() {
            let place = match elements {
                Elements::Atomic => None,
                Elements::Set => all.iter().position(|known| equal(known, &item)),
                Elements::Map(keys) => all.iter().position(|known| same_keys(known, &item, keys)),
            };
            match place {
                Some(at) => all[at] = item,
                None => all.push(item),
            }
        }
        Ok(Value::list(all))
    }

    fn contained(&mut self, item: &Value<'a>, all: &Value<'a>) -> Outcome<'a> {
        match (all, item) {
            (Value::List(list), _) => {
                self.charge(all.size())?;
                let mut found = false;
                for one in list.iter() {
                    if matches!(one, Value::List(_) | Value::Map(_)) {
                        self.charge_compare(&one, item)?;
                    }
                    found = equal(&one, item);
                    if found {
                        break;
                    }
                }
                Ok(Value::Bool(found))
            }
            (Value::Map(map @ Map::Json(..)), Value::String(key)) => {
                self.charge(1)?;
                Ok(Value::Bool(map.get(key).is_some()))
            }
            (Value::Map(map), _) => {
                self.charge(1)?;
                Ok(Value::Bool(map.iter().any(|(key, _)| equal(&key, item))))
            }
            _ => Err(EvalError::no_overload()),
        }
    }
}

/// How many values there are in a value, counted no further than makes a difference.
pub(super) fn weight(value: &Value<'_>, most: u64) -> u64 {
    fn add(value: &Value<'_>, sum: &mut u64, most: u64) {
        *sum = sum.saturating_add(1);
        if *sum / 10 > most {
            return;
        }
        match value {
            Value::List(list) => list.iter().for_each(|item| add(&item, sum, most)),
            Value::Map(map) => map.iter().for_each(|(_, item)| add(&item, sum, most)),
            other => *sum = sum.saturating_add(other.size()),
        }
    }
    let mut sum = 0;
    add(value, &mut sum, most);
    sum
}

fn same_keys(a: &Value<'_>, b: &Value<'_>, keys: &[std::sync::Arc<str>]) -> bool {
    let (Value::Map(a), Value::Map(b)) = (a, b) else { return false };
    let escaped = |key: &str| crate::cel::escape::escape(key).map(|key| key.into_owned());
    keys.iter().all(|key| {
        let Some(key) = escaped(key) else { return false };
        match (a.get(&key), b.get(&key)) {
            (Some(a), Some(b)) => equal(&a, &b),
            (a, b) => a.is_none() && b.is_none(),
        }
    })
}

fn both_numbers(a: &Value<'_>, b: &Value<'_>) -> bool {
    let number = |v: &Value<'_>| matches!(v, Value::Int(_) | Value::Uint(_) | Value::Double(_));
    number(a) && number(b)
}

pub(super) fn negate<'a>(value: &Value<'a>) -> Outcome<'a> {
    match value {
        Value::Int(value) => value.checked_neg().map(Value::Int).ok_or_else(overflow),
        Value::Double(value) => Ok(Value::Double(-value)),
        _ => Err(EvalError::no_overload()),
    }
}

fn overflow() -> EvalError {
    EvalError::failed("integer overflow")
}

fn arithmetic<'a>(operator: Operator, left: &Value<'a>, right: &Value<'a>) -> Outcome<'a> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => {
            by_zero(operator, *b == 0)?;
            let result = match operator {
                Operator::Add => a.checked_add(*b),
                Operator::Subtract => a.checked_sub(*b),
                Operator::Multiply => a.checked_mul(*b),
                Operator::Divide => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            result.map(Value::Int).ok_or_else(overflow)
        }
        (Value::Uint(a), Value::Uint(b)) => {
            by_zero(operator, *b == 0)?;
            let result = match operator {
                Operator::Add => a.checked_add(*b),
                Operator::Subtract => a.checked_sub(*b),
                Operator::Multiply => a.checked_mul(*b),
                Operator::Divide => a.checked_div(*b),
                _ => a.checked_rem(*b),
            };
            result.map(Value::Uint).ok_or_else(|| EvalError::failed("unsigned integer overflow"))
        }
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide => a / b,
            _ => return Err(EvalError::no_overload()),
        })),
        _ => times(operator, left, right),
    }
}

fn by_zero(operator: Operator, zero: bool) -> Result<(), EvalError> {
    match operator {
        Operator::Divide if zero => Err(EvalError::failed("division by zero")),
        Operator::Modulo if zero => Err(EvalError::failed("modulus by zero")),
        _ => Ok(()),
    }
}

/// Points and lengths of time.
fn times<'a>(operator: Operator, left: &Value<'a>, right: &Value<'a>) -> Outcome<'a> {
    let moved = |at: &Timestamp, by: i64| {
        let moved = at.checked_add(SignedDuration::from_nanos(by)).ok();
        moved.map(Value::Timestamp).ok_or_else(|| EvalError::failed("timestamp overflow"))
    };
    let length = |nanos: Option<i64>| {
        nanos.map(Value::Duration).ok_or_else(|| EvalError::failed("duration overflow"))
    };
    match (operator, left, right) {
        (Operator::Add, Value::Duration(a), Value::Duration(b)) => length(a.checked_add(*b)),
        (Operator::Subtract, Value::Duration(a), Value::Duration(b)) => length(a.checked_sub(*b)),
        (Operator::Add, Value::Timestamp(at), Value::Duration(by))
        | (Operator::Add, Value::Duration(by), Value::Timestamp(at)) => moved(at, *by),
        (Operator::Subtract, Value::Timestamp(at), Value::Duration(by)) => {
            by.checked_neg().map_or_else(|| length(None), |by| moved(at, by))
        }
        (Operator::Subtract, Value::Timestamp(a), Value::Timestamp(b)) => {
            length(i64::try_from(a.as_nanosecond() - b.as_nanosecond()).ok())
        }
        _ => Err(EvalError::no_overload()),
    }
}
