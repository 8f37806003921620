//! The JSONPath of printer columns (kubectl reference, "JSONPath support"), without templates:
//! `.spec.replicas`, `.metadata.labels['a.b/c']`, `.status.conditions[?(@.type=="Ready")].status`.

mod parse;

#[cfg(test)]
mod tests;

pub(super) use parse::PathError;

use serde_json::Value;
use std::cmp::Ordering;

/// No step of a path leads to many more values: `..` and lists of steps, one after another, would lead to the same
/// ones more often than there is memory.
const MOST: usize = 100_000;

/// A path into an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// The value under a key.
    Key(String),
    /// All values of a map or list.
    All,
    /// All values below, at any depth.
    Deep,
    /// Elements of a list from here to there; from the end when negative.
    Slice { from: Option<i64>, to: Option<i64>, by: i64 },
    /// One element.
    Index(i64),
    /// Several of the above.
    Union(Vec<Step>),
    /// The elements for which this holds.
    Filter(Box<Filter>),
}

#[derive(Clone, Debug, PartialEq)]
enum Filter {
    Exists(JsonPath),
    Compare(Operand, Comparison, Operand),
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Path(JsonPath),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

// === impl JsonPath ===

impl JsonPath {
    /// Reads a path: `.a.b`, with or without braces around it.
    pub(super) fn parse(text: &str) -> Result<Self, PathError> {
        parse::path(text)
    }

    /// The keys of a path that is nothing but keys.
    pub(super) fn keys(&self) -> Option<Vec<&str>> {
        fn key(step: &Step) -> Option<&str> {
            if let Step::Key(key) = step { Some(key) } else { None }
        }
        self.0.iter().map(key).collect()
    }

    /// The values it leads to, in order. What is not there leads to none.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![value], |found, step| {
            let mut next = Vec::new();
            for value in found {
                step.walk(value, &mut next);
                if next.len() > MOST {
                    break;
                }
            }
            next
        })
    }
}

// === impl Step ===

impl Step {
    fn walk<'a>(&self, value: &'a Value, found: &mut Vec<&'a Value>) {
        match (self, value) {
            (Self::Key(key), Value::Object(map)) => found.extend(map.get(key)),
            (Self::All, Value::Object(map)) => found.extend(map.values()),
            (Self::All, Value::Array(list)) => found.extend(list),
            (Self::Deep, _) => deep(value, found),
            (Self::Index(at), Value::Array(list)) => {
                found.extend(place(*at, list.len()).and_then(|at| list.get(at)));
            }
            (Self::Slice { from, to, by }, Value::Array(list)) => {
                found.extend(slice(list, *from, *to, *by));
            }
            (Self::Union(steps), _) => {
                for step in steps {
                    step.walk(value, found);
                    if found.len() > MOST {
                        break;
                    }
                }
            }
            (Self::Filter(filter), Value::Array(list)) => {
                found.extend(list.iter().filter(|item| filter.holds(item)));
            }
            _ => {}
        }
    }
}

fn deep<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(value);
    match value {
        Value::Object(map) => map.values().for_each(|value| deep(value, found)),
        Value::Array(list) => list.iter().for_each(|value| deep(value, found)),
        _ => {}
    }
}

/// A place counted from the start, or from the end when negative.
fn place(at: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    usize::try_from(if at < 0 { length + at } else { at }).ok()
}

fn slice(
    list: &[Value],
    from: Option<i64>,
    to: Option<i64>,
    by: i64,
) -> impl Iterator<Item = &Value> {
    let from = from.map_or(Some(0), |at| place(at, list.len())).unwrap_or(0).min(list.len());
    let to = to.map_or(Some(list.len()), |at| place(at, list.len())).unwrap_or(0).min(list.len());
    let by = usize::try_from(by).unwrap_or(1).max(1);
    list[from..to.max(from)].iter().step_by(by)
}

// === impl Filter ===

impl Filter {
    fn holds(&self, item: &Value) -> bool {
        match self {
            Self::Exists(path) => !path.find(item).is_empty(),
            Self::Compare(left, comparison, right) => match (left.value(item), right.value(item)) {
                (Some(left), Some(right)) => comparison.holds(left, right),
                _ => false,
            },
        }
    }
}

// === impl Operand ===

impl Operand {
    fn value<'a>(&'a self, item: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Path(path) => path.find(item).first().copied(),
            Self::Literal(value) => Some(value),
        }
    }
}

// === impl Comparison ===

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (left, right) {
            (Value::Number(left), Value::Number(right)) => {
                left.as_f64().and_then(|left| left.partial_cmp(&right.as_f64()?))
            }
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (left, right) => (left == right).then_some(Ordering::Equal),
        };
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::Unequal => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}
