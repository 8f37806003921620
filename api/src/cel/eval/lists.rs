//! Functions of lists.

use super::equal::compare;
use super::{Evaluation, Outcome, equal};
use crate::cel::error::EvalError;
use crate::cel::value::{List, Value};
use std::cmp::Ordering;

/// No list is made longer than this by counting.
const MAX_RANGE: i64 = 1_000_000;

// === impl Evaluation ===

impl<'a> Evaluation<'_, 'a> {
    /// A function of a list; `None` when it is none of those.
    pub(super) fn list_call(
        &mut self,
        function: &str,
        list: &List<'a>,
        args: &[Value<'a>],
    ) -> Option<Outcome<'a>> {
        let size = u64::try_from(list.len()).unwrap_or(u64::MAX);
        Some(match (function, args) {
            ("isSorted", []) => self.walk(size).and_then(|()| is_sorted(list)),
            ("sum", []) => self.walk(size).and_then(|()| sum(list)),
            ("min", []) => self.walk(size).and_then(|()| extreme(list, Ordering::Less)),
            ("max", []) => self.walk(size).and_then(|()| extreme(list, Ordering::Greater)),
            ("indexOf" | "lastIndexOf" | "includes", [item]) => {
                let paid = self.walk(size).and_then(|()| self.charge_inside(list, 1));
                paid.map(|()| find(function, list, item))
            }
            ("slice", [Value::Int(from), Value::Int(to)]) => slice(list, *from, *to),
            ("distinct", []) => {
                let paid = self.walk(size.saturating_mul(size) / 10);
                paid.and_then(|()| self.charge_inside(list, size)).map(|()| distinct(list))
            }
            ("reverse", []) => self.walk(size).map(|()| {
                let mut all: Vec<_> = list.iter().collect();
                all.reverse();
                Value::list(all)
            }),
            ("sort", []) => self.walk(size.saturating_mul(2)).and_then(|()| {
                let mut all: Vec<_> = list.iter().collect();
                let comparable = all.windows(2).all(|two| compare(&two[0], &two[1]).is_some());
                all.sort_by(|a, b| compare(a, b).unwrap_or(Ordering::Equal));
                if comparable { Ok(Value::list(all)) } else { Err(EvalError::no_overload()) }
            }),
            ("flatten", []) => self.flatten(list, 1),
            ("flatten", [Value::Int(depth)]) => self.flatten(list, *depth),
            _ => return None,
        })
    }

    fn walk(&mut self, steps: u64) -> Result<(), EvalError> {
        self.charge(steps)
    }

    pub(super) fn range(&mut self, count: i64) -> Outcome<'a> {
        if count > MAX_RANGE {
            return Err(EvalError::failed(format!("range must not exceed {MAX_RANGE}")));
        }
        self.charge(u64::try_from(count).unwrap_or(0))?;
        Ok(Value::list((0..count).map(Value::Int).collect()))
    }

    fn flatten(&mut self, list: &List<'a>, depth: i64) -> Outcome<'a> {
        if depth < 0 {
            return Err(EvalError::failed("level must be non-negative"));
        }
        let mut all = Vec::new();
        self.flatten_into(list, depth, &mut all)?;
        Ok(Value::list(all))
    }

    fn flatten_into(
        &mut self,
        list: &List<'a>,
        depth: i64,
        all: &mut Vec<Value<'a>>,
    ) -> Result<(), EvalError> {
        for item in list.iter() {
            self.charge(1)?;
            match item {
                Value::List(inner) if depth > 0 => self.flatten_into(&inner, depth - 1, all)?,
                other => all.push(other),
            }
        }
        Ok(())
    }
}

fn distinct<'a>(list: &List<'a>) -> Value<'a> {
    let mut kept: Vec<Value<'a>> = Vec::new();
    for item in list.iter() {
        if !kept.iter().any(|known| equal(known, &item)) {
            kept.push(item);
        }
    }
    Value::list(kept)
}

fn is_sorted<'a>(list: &List<'a>) -> Outcome<'a> {
    let mut before: Option<Value<'a>> = None;
    for item in list.iter() {
        if let Some(before) = &before {
            match compare(before, &item) {
                Some(Ordering::Greater) => return Ok(Value::Bool(false)),
                Some(_) => {}
                None => return Err(EvalError::no_overload()),
            }
        }
        before = Some(item);
    }
    Ok(Value::Bool(true))
}

fn sum<'a>(list: &List<'a>) -> Outcome<'a> {
    let overflow = || EvalError::failed("integer overflow");
    let mut total: Option<Value<'a>> = None;
    for item in list.iter() {
        total = Some(match (total, item) {
            (
                None,
                item @ (Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_)),
            ) => item,
            (Some(Value::Int(a)), Value::Int(b)) => {
                Value::Int(a.checked_add(b).ok_or_else(overflow)?)
            }
            (Some(Value::Uint(a)), Value::Uint(b)) => {
                Value::Uint(a.checked_add(b).ok_or_else(overflow)?)
            }
            (Some(Value::Double(a)), Value::Double(b)) => Value::Double(a + b),
            (Some(Value::Duration(a)), Value::Duration(b)) => {
                Value::Duration(a.checked_add(b).ok_or_else(overflow)?)
            }
            _ => return Err(EvalError::no_overload()),
        });
    }
    Ok(total.unwrap_or(Value::Int(0)))
}

fn extreme<'a>(list: &List<'a>, wanted: Ordering) -> Outcome<'a> {
    let mut best: Option<Value<'a>> = None;
    for item in list.iter() {
        best = Some(match best {
            None => item,
            Some(best) => match compare(&item, &best) {
                Some(order) if order == wanted => item,
                Some(_) => best,
                None => return Err(EvalError::no_overload()),
            },
        });
    }
    let name = if wanted == Ordering::Less { "min" } else { "max" };
    best.ok_or_else(|| EvalError::failed(format!("{name} called on empty list")))
}

fn find<'a>(function: &str, list: &List<'a>, wanted: &Value<'a>) -> Value<'a> {
    let is = |at: &usize| list.get(*at).is_some_and(|item| equal(&item, wanted));
    let found = match function {
        "lastIndexOf" => (0..list.len()).rev().find(is),
        _ => (0..list.len()).find(is),
    };
    match function {
        "includes" => Value::Bool(found.is_some()),
        _ => Value::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)),
    }
}

fn slice<'a>(list: &List<'a>, from: i64, to: i64) -> Outcome<'a> {
    let bounds = (usize::try_from(from), usize::try_from(to));
    let (Ok(start), Ok(end)) = bounds else {
        return Err(EvalError::failed(format!(
            "cannot slice({from}, {to}), negative indexes not supported"
        )));
    };
    if start > end || end > list.len() {
        let length = list.len();
        return Err(EvalError::failed(format!(
            "cannot slice({from}, {to}), list is length {length}"
        )));
    }
    Ok(Value::list((start..end).filter_map(|at| list.get(at)).collect()))
}
