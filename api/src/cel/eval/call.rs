//! Calls of functions.

use super::operators::weight;
use super::{Evaluation, Outcome, convert, equal, time};
use crate::apiextensions::schema::pattern;
use crate::cel::ast::Expr;
use crate::cel::authz;
use crate::cel::cost::{COMPILE, REGEX, TRAVERSAL, scaled};
use crate::cel::error::EvalError;
use crate::cel::foreign;
use crate::cel::value::{List, Value};
use regex::Regex;

/// So many regular expressions that an object says are kept during an evaluation.
const PATTERNS: usize = 16;

// === impl Evaluation ===

impl<'p, 'a> Evaluation<'p, 'a> {
    pub(super) fn call(
        &mut self,
        function: &str,
        target: Option<&'p Expr>,
        args: &'p [Expr],
    ) -> Outcome<'a> {
        let mut values = Vec::with_capacity(args.len() + 1);
        for expr in target.into_iter().chain(args) {
            values.push(self.eval(expr)?);
        }
        if let (
            "sets.contains" | "sets.equivalent" | "sets.intersects",
            [Value::List(a), Value::List(b)],
        ) = (function, values.as_slice())
        {
            return self.sets(function, a, b);
        }
        if let ("lists.range", [Value::Int(count)]) = (function, values.as_slice()) {
            return self.range(*count);
        }
        if let (Some(Value::List(list)), true) = (values.first(), target.is_some())
            && let Some(done) = self.list_call(function, list, &values[1..])
        {
            return done;
        }
        if let (Some(Value::Authz(authz)), true) = (values.first(), target.is_some()) {
            self.charge(if function == "check" { authz::CHECK } else { 1 })?;
            return authz.call(function, &values[1..]);
        }
        self.pay(function, target.is_some(), &values)?;
        if let (
            "matches" | "find" | "findAll",
            [Value::String(text), Value::String(regex), rest @ ..],
        ) = (function, values.as_slice())
        {
            let written = target.into_iter().chain(args).nth(1).is_some_and(Expr::is_literal);
            return self.regex(function, text, (regex, written), rest);
        }
        if let Some(done) = simple(function, &values) {
            return done;
        }
        self.charge_copies(&values)?;
        if function == "replace" {
            // It may be far longer than all it is made of: it is paid for before it is there.
            self.charge_text(replaced(&values))?;
        }
        let result = foreign::call(function, target.is_some(), &values)?;
        if function == "join" || function == "format" {
            self.charge_text(result.size())?;
        }
        Ok(result)
    }

    /// A library gets copies: of what stands in a list many times, so many.
    fn charge_copies(&mut self, args: &[Value<'a>]) -> Result<(), EvalError> {
        for arg in args.iter().filter(|arg| matches!(arg, Value::List(_) | Value::Map(_))) {
            self.charge_text(weight(arg, self.left()))?;
        }
        Ok(())
    }

    /// Pays for so many walks over a list whose elements are compared to their depths.
    pub(super) fn charge_inside(&mut self, list: &List<'a>, times: u64) -> Result<(), EvalError> {
        if !list.iter().any(|item| matches!(item, Value::List(_) | Value::Map(_))) {
            return Ok(());
        }
        let inside = weight(&Value::List(list.clone()), self.left());
        self.charge_text(inside.saturating_mul(times))
    }

    /// What a call costs for these values.
    fn pay(&mut self, function: &str, member: bool, args: &[Value<'a>]) -> Result<(), EvalError> {
        let size = |at: usize| args.get(at).map_or(1, Value::size);
        let text = |size: u64, factor: f64| scaled(size, factor * TRAVERSAL);
        let regex = || {
            let pattern = scaled(size(1), REGEX);
            text(size(0).saturating_add(1), 1.0).saturating_mul(pattern)
        };
        let cost = match function {
            "url"
            | "isURL"
            | "lowerAscii"
            | "upperAscii"
            | "substring"
            | "trim"
            | "cidr"
            | "isIP"
            | "isCIDR"
            | "quantity"
            | "isQuantity"
            | "semver"
            | "isSemver"
            | "format"
            | "jsonpatch.escapeKey"
            | "strings.quote"
            | "indexOf"
            | "lastIndexOf"
            | "string"
            | "bytes"
            | "charAt"
            | "int"
            | "double"
            | "uint"
            | "timestamp"
            | "duration" => text(size(0), 1.0).max(1),
            "ip" if !member => text(size(0), 1.0),
            "replace" | "split" | "ip.isCanonical" => text(size(0), 2.0),
            "join" => match args.first() {
                Some(Value::List(list)) => {
                    let all = list.iter().map(|item| item.size()).fold(0, u64::saturating_add);
                    text(all.saturating_add(size(1).saturating_mul(size(0))), 2.0)
                }
                _ => 1,
            },
            "find" | "findAll" | "matches" => regex(),
            "startsWith" | "endsWith" => text(size(1), 1.0),
            "contains" => text(size(0), 1.0).saturating_mul(text(size(1), 1.0)),
            "containsIP" | "containsCIDR" => 8 + text(size(1), 1.0),
            "validate" => text(size(1).saturating_add(1), 1.0).saturating_mul(32),
            _ => 1,
        };
        self.charge(cost)
    }

    /// Looks for an expression in a text.
    fn regex(
        &mut self,
        function: &str,
        text: &str,
        (regex, written): (&str, bool),
        rest: &[Value<'a>],
    ) -> Outcome<'a> {
        let found = |regex: &Regex| match function {
            "matches" => Value::Bool(regex.is_match(text)),
            _ => find(function, text, regex, rest),
        };
        if !written {
            return self.given(regex).map(found);
        }
        let regex = pattern::compiled(regex);
        Ok(found(&*regex.map_err(|error| EvalError::failed(error.to_string()))?))
    }

    /// A regular expression that is not written in the source: it was not compiled before, and that costs, once.
    fn given(&mut self, pattern: &str) -> Result<&Regex, EvalError> {
        let known = self.patterns.iter().position(|(known, _)| known == pattern);
        let at = match known {
            Some(at) => at,
            None => {
                self.charge(COMPILE)?;
                let regex = pattern::compile_small(pattern);
                let regex = regex.map_err(|error| EvalError::failed(error.to_string()))?;
                if self.patterns.len() == PATTERNS {
                    self.patterns.pop_front();
                }
                self.patterns.push_back((pattern.to_owned(), regex));
                self.patterns.len() - 1
            }
        };
        Ok(&self.patterns[at].1)
    }

    fn sets(&mut self, function: &str, a: &List<'a>, b: &List<'a>) -> Outcome<'a> {
        let pairs = u64::try_from(a.len().saturating_mul(b.len())).unwrap_or(u64::MAX);
        self.charge(pairs.max(1))?;
        self.charge_inside(a, u64::try_from(b.len()).unwrap_or(u64::MAX))?;
        let has = |all: &List<'a>, wanted: &Value<'a>| all.iter().any(|item| equal(&item, wanted));
        Ok(Value::Bool(match function {
            "sets.contains" => b.iter().all(|item| has(a, &item)),
            "sets.intersects" => b.iter().any(|item| has(a, &item)),
            _ => b.iter().all(|item| has(a, &item)) && a.iter().all(|item| has(b, &item)),
        }))
    }
}

/// How long a text is after a replacement.
fn replaced(args: &[Value<'_>]) -> u64 {
    let [Value::String(text), Value::String(from), Value::String(to), rest @ ..] = args else {
        return 0;
    };
    let count = text.matches(&**from).count();
    let count = match rest {
        [Value::Int(limit)] => usize::try_from(*limit).map_or(count, |limit| count.min(limit)),
        _ => count,
    };
    let length = text.len().saturating_add(count.saturating_mul(to.len()));
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Functions of the language itself; `None` when it is none of those.
fn simple<'a>(function: &str, args: &[Value<'a>]) -> Option<Outcome<'a>> {
    let int = |value: usize| Value::Int(i64::try_from(value).unwrap_or(i64::MAX));
    Some(match (function, args) {
        ("size", [Value::String(text)]) => Ok(int(text.chars().count())),
        ("size", [Value::Bytes(bytes)]) => Ok(int(bytes.len())),
        ("size", [Value::List(list)]) => Ok(int(list.len())),
        ("size", [Value::Map(map)]) => Ok(int(map.len())),
        ("size", _) => Err(EvalError::no_overload()),
        ("type", [value]) => Ok(Value::Type(value.type_name())),
        ("dyn", [value]) => Ok(value.clone()),
        ("contains", [Value::String(a), Value::String(b)]) => Ok(Value::Bool(a.contains(&**b))),
        ("startsWith", [Value::String(a), Value::String(b)]) => {
            Ok(Value::Bool(a.starts_with(&**b)))
        }
        ("endsWith", [Value::String(a), Value::String(b)]) => Ok(Value::Bool(a.ends_with(&**b))),
        ("contains" | "startsWith" | "endsWith", _) => Err(EvalError::no_overload()),
        ("matches", _) => Err(EvalError::no_overload()),
        ("optional.of", [value]) => Ok(value.clone().some()),
        ("optional.none", []) => Ok(Value::Optional(None)),
        ("optional.ofNonZeroValue", [value]) => {
            Ok(if is_zero(value) { Value::Optional(None) } else { value.clone().some() })
        }
        ("hasValue", [Value::Optional(value)]) => Ok(Value::Bool(value.is_some())),
        ("value", [Value::Optional(value)]) => match value {
            Some(value) => Ok((**value).clone()),
            None => Err(EvalError::failed("optional.none() dereference")),
        },
        ("or", [first @ Value::Optional(value), second]) => {
            Ok(if value.is_some() { first.clone() } else { second.clone() })
        }
        ("orValue", [Value::Optional(value), other]) => {
            Ok(value.as_ref().map_or_else(|| other.clone(), |value| (**value).clone()))
        }
        (name, [value]) if name.starts_with("get") && is_time(value) => {
            time::part(name, value, None)
        }
        (name, [value, Value::String(zone)]) if name.starts_with("get") && is_time(value) => {
            time::part(name, value, Some(zone))
        }
        (_, [Value::Foreign(_)]) if function != "string" => return None,
        (_, [value]) => return convert::convert(function, value),
        _ => return None,
    })
}

fn is_time(value: &Value<'_>) -> bool {
    matches!(value, Value::Timestamp(_) | Value::Duration(_))
}

fn is_zero(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Uint(0) | Value::Duration(0) => {
            true
        }
        Value::Double(value) => *value == 0.0,
        Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_) => value.size() == 0,
        Value::Optional(value) => value.is_none(),
        _ => false,
    }
}

fn find<'a>(function: &str, text: &str, regex: &Regex, rest: &[Value<'a>]) -> Value<'a> {
    let found = |found: regex::Match<'_>| Value::text(found.as_str());
    if function == "find" {
        return regex.find(text).map_or_else(|| Value::text(""), found);
    }
    let limit = match rest {
        [Value::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    Value::list(regex.find_iter(text).take(limit).map(found).collect())
}
