//! Macros over lists, maps and optional values.

use super::equal::compare;
use super::{Evaluation, Outcome, equal};
use crate::cel::ast::{Macro, MacroName};
use crate::cel::cost::{LIST_BASE, MAP_BASE};
use crate::cel::error::EvalError;
use crate::cel::value::{Map, Value};
use std::cmp::Ordering;

/// What is gathered on the way over a range.
enum Gathered<'a> {
    /// The value that decides, and the first mistake.
    Decides(bool, Option<EvalError>),
    Count(u64),
    List(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    Keyed(Vec<(Value<'a>, Value<'a>)>),
}

// === impl Evaluation ===

impl<'p, 'a> Evaluation<'p, 'a> {
    pub(super) fn expand(&mut self, one: &'p Macro) -> Outcome<'a> {
        let range = self.eval(&one.range)?;
        if matches!(one.name, MacroName::OptMap | MacroName::OptFlatMap) {
            return self.optional(one, range);
        }
        let mut gathered = match one.name {
            MacroName::All => Gathered::Decides(false, None),
            MacroName::Exists => Gathered::Decides(true, None),
            MacroName::ExistsOne => Gathered::Count(0),
            MacroName::TransformMap | MacroName::TransformMapEntry => Gathered::Map(Vec::new()),
            MacroName::SortBy => Gathered::Keyed(Vec::new()),
            _ => Gathered::List(Vec::new()),
        };
        self.charge(match gathered {
            Gathered::List(_) | Gathered::Keyed(_) => LIST_BASE + 1,
            Gathered::Map(_) => MAP_BASE + 1,
            _ => 1,
        })?;
        let depth = self.scopes.len();
        let done = self.over(one, &range, &mut gathered);
        self.scopes.truncate(depth);
        match done? {
            Some(decided) => Ok(Value::Bool(decided)),
            None => gathered.finish(),
        }
    }

    /// Goes over the range until something decides.
    fn over(
        &mut self,
        one: &'p Macro,
        range: &Value<'a>,
        gathered: &mut Gathered<'a>,
    ) -> Result<Option<bool>, EvalError> {
        let index = |at: usize| Value::Int(i64::try_from(at).unwrap_or(i64::MAX));
        match range {
            Value::List(list) => {
                for (at, item) in list.iter().enumerate() {
                    let pair =
                        if one.second.is_some() { (index(at), Some(item)) } else { (item, None) };
                    if let Some(decided) = self.step(one, pair, gathered)? {
                        return Ok(Some(decided));
                    }
                }
            }
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    let pair = (key, one.second.is_some().then_some(value));
                    if let Some(decided) = self.step(one, pair, gathered)? {
                        return Ok(Some(decided));
                    }
                }
            }
            _ => return Err(EvalError::no_overload()),
        }
        Ok(None)
    }

    fn step(
        &mut self,
        one: &'p Macro,
        (first, second): (Value<'a>, Option<Value<'a>>),
        gathered: &mut Gathered<'a>,
    ) -> Result<Option<bool>, EvalError> {
        self.charge(3)?;
        let depth = self.scopes.len();
        self.scopes.push((&one.variable, first.clone()));
        if let (Some(name), Some(value)) = (&one.second, second) {
            self.scopes.push((name, value));
        }
        if let Some(filter) = &one.filter {
            match self.eval(filter)? {
                Value::Bool(true) => {}
                Value::Bool(false) => {
                    self.scopes.truncate(depth);
                    return Ok(None);
                }
                _ => return Err(EvalError::no_overload()),
            }
        }
        let found = self.eval(&one.body);
        self.scopes.truncate(depth);
        match gathered {
            Gathered::Decides(decides, mistake) => match found {
                Ok(Value::Bool(value)) if value == *decides => return Ok(Some(*decides)),
                Ok(Value::Bool(_)) => {}
                Err(EvalError::Budget) => return Err(EvalError::Budget),
                Err(error) => _ = mistake.get_or_insert(error),
                Ok(_) => _ = mistake.get_or_insert(EvalError::no_overload()),
            },
            Gathered::Count(count) => match found? {
                Value::Bool(value) => *count += u64::from(value),
                _ => return Err(EvalError::no_overload()),
            },
            Gathered::Keyed(all) => {
                self.charge(LIST_BASE)?;
                all.push((found?, first));
            }
            Gathered::List(all) => {
                self.charge(LIST_BASE)?;
                match (one.name, found?) {
                    (MacroName::Filter, Value::Bool(true)) => all.push(first),
                    (MacroName::Filter, Value::Bool(false)) => {}
                    (MacroName::Filter, _) => return Err(EvalError::no_overload()),
                    (_, value) => all.push(value),
                }
            }
            Gathered::Map(all) => match (one.name, found?) {
                (MacroName::TransformMap, value) => self.insert(all, first, value)?,
                (_, Value::Map(map)) => {
                    for (key, value) in map.iter() {
                        self.insert(all, key, value)?;
                    }
                }
                _ => return Err(EvalError::no_overload()),
            },
        }
        Ok(None)
    }

    fn insert(
        &mut self,
        all: &mut Vec<(Value<'a>, Value<'a>)>,
        key: Value<'a>,
        value: Value<'a>,
    ) -> Result<(), EvalError> {
        self.charge(u64::try_from(all.len()).unwrap_or(u64::MAX) / 10)?;
        if all.iter().any(|(known, _)| equal(known, &key)) {
            return Err(EvalError::failed("insert failed: key already exists"));
        }
        all.push((key, value));
        Ok(())
    }

    fn optional(&mut self, one: &'p Macro, range: Value<'a>) -> Outcome<'a> {
        self.charge(2)?;
        match range {
            Value::Optional(None) => Ok(Value::Optional(None)),
            Value::Optional(Some(value)) => {
                self.scopes.push((&one.variable, (*value).clone()));
                let found = self.eval(&one.body);
                self.scopes.pop();
                let found = found?;
                Ok(if one.name == MacroName::OptMap { found.some() } else { found })
            }
            _ => Err(EvalError::no_overload()),
        }
    }
}

// === impl Gathered ===

impl<'a> Gathered<'a> {
    fn finish(self) -> Outcome<'a> {
        match self {
            Self::Decides(decides, None) => Ok(Value::Bool(!decides)),
            Self::Decides(_, Some(mistake)) => Err(mistake),
            Self::Count(count) => Ok(Value::Bool(count == 1)),
            Self::List(all) => Ok(Value::list(all)),
            Self::Map(all) => Ok(Value::Map(Map::Values(all.into()))),
            Self::Keyed(mut all) => {
                all.sort_by(|(a, _), (b, _)| compare(a, b).unwrap_or(Ordering::Equal));
                Ok(Value::list(all.into_iter().map(|(_, value)| value).collect()))
            }
        }
    }
}
