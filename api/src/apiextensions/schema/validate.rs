//! Checks values against a schema, in the order and the words of Kubernetes.

use super::correlate::MapList;
use super::node::{Check, Flags, Node, Rest, Type};
use super::number::{compare, go_float, is_integer, is_multiple};
use super::report::Report;
use super::{format::Format, pattern};
use crate::strategy::Map;
use crate::validation::{ErrorType, Errors, Path};
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// Whether a mistake is forgiven that was there before, in a value that did not change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ratchet {
    Here,
    /// Only in parts: this is an additional schema for a value that has another.
    InParts,
}

/// Adds what is wrong with an object.
pub(super) fn object(node: &Node, new: &Map, old: Option<&Map>, errors: &mut Errors) {
    let mut report = Report::default();
    whole_object(node, new, old, &Path::ROOT, &mut report);
    report.write(None, errors);
}

/// Adds what is wrong with a part of an object, which stands at this path.
pub(super) fn part(
    node: &Node,
    new: &Value,
    old: Option<&Value>,
    at: &Path<'_>,
    errors: &mut Errors,
) {
    let report = value(node, new, old, &Path::ROOT, Ratchet::Here);
    report.write(Some(at), errors);
}

fn whole_object(node: &Node, new: &Map, old: Option<&Map>, path: &Path<'_>, report: &mut Report) {
    // An object is no value, but its checks are those of one: only what needs the value as such is not.
    report.matches += 1;
    if node.checks.iter().any(needs_value) {
        let (new, old) = (Value::Object(new.clone()), old.cloned().map(Value::Object));
        alternatives(node, &new, old.as_ref(), path, report);
        enumeration(node, &new, path, report);
    }
    properties(node, new, old, path, report);
    if !report.is_ok() && old == Some(new) {
        report.forgive();
    }
}

fn needs_value(check: &Check) -> bool {
    use Check::{AllOf, AnyOf, Enum, Not, OneOf};
    matches!(check, AllOf(_) | AnyOf(_) | OneOf(_) | Not(_) | Enum(_))
}

fn value(
    node: &Node,
    new: &Value,
    old: Option<&Value>,
    path: &Path<'_>,
    ratchet: Ratchet,
) -> Report {
    let mut report = Report::default();
    types(node, new, path, &mut report);
    if !new.is_null() {
        alternatives(node, new, old, path, &mut report);
    }
    match new {
        Value::String(text) => string(node, text, new, path, &mut report),
        Value::Number(number) => numeric(node, number, new, path, &mut report),
        Value::Array(items) => list(node, items, old, path, &mut report),
        _ => {}
    }
    enumeration(node, new, path, &mut report);
    if let Value::Object(map) = new {
        properties(node, map, old.and_then(Value::as_object), path, &mut report);
    }
    report.matches += 1;
    if ratchet == Ratchet::Here && !report.is_ok() && old == Some(new) {
        report.forgive();
    }
    report
}

fn types(node: &Node, value: &Value, path: &Path<'_>, report: &mut Report) {
    let both = node.has(Flags::INT_OR_STRING);
    let wanted = if both { "integer,string" } else { node.ty.name() };
    let is = |ty: Type| node.ty == ty || (both && matches!(ty, Type::Integer | Type::String));
    let (found, format) = match value {
        Value::Null if wanted.is_empty() || node.is_nullable() => return report.matches += 1,
        Value::Null => return report.type_invalid(path, "null", wanted),
        Value::Bool(_) => (Type::Boolean, ""),
        Value::Number(number) if number.is_f64() => (Type::Number, "float64"),
        Value::Number(_) => (Type::Integer, "int64"),
        Value::String(_) => (Type::String, ""),
        Value::Array(_) => (Type::Array, ""),
        Value::Object(_) => (Type::Object, ""),
    };
    let fits = is(found)
        || match value {
            Value::Number(number) => is(Type::Number) || (is(Type::Integer) && is_integer(number)),
            _ => false,
        };
    report.matches += 1;
    match node.format() {
        _ if fits || (wanted.is_empty() && node.format().is_none()) => {}
        Some(_) if wanted.is_empty() && found == Type::String => {}
        Some(named) if !matches!(found, Type::String | Type::Array) && named.name() != format => {
            report.type_invalid(path, format, named.name());
        }
        _ => report.type_invalid(path, found.name(), wanted),
    }
}

/// `anyOf`, `oneOf`, `allOf`, `not`.
fn alternatives(
    node: &Node,
    new: &Value,
    old: Option<&Value>,
    path: &Path<'_>,
    report: &mut Report,
) {
    for check in &node.checks {
        match check {
            Check::AnyOf(nodes) => any_of(nodes, new, old, path, report),
            Check::OneOf(nodes) => one_of(nodes, new, old, path, report),
            Check::AllOf(nodes) => all_of(nodes, new, old, path, report),
            Check::Not(node) if value(node, new, old, path, Ratchet::InParts).is_ok() => {
                report.whole(format!("{:?} must not validate the schema (not)", path.to_string()));
            }
            _ => {}
        }
    }
    report.matches += 1;
}

fn any_of(nodes: &[Node], new: &Value, old: Option<&Value>, path: &Path<'_>, report: &mut Report) {
    let mut best: Option<Report> = None;
    for node in nodes {
        let found = value(node, new, old, path, Ratchet::InParts);
        if found.is_ok() {
            return report.merge(found);
        }
        if best.as_ref().is_none_or(|best| found.matches > best.matches) {
            best = Some(found);
        }
    }
    let text = format!("{:?} must validate at least one schema (anyOf)", path.to_string());
    report.whole(text);
    best.into_iter().for_each(|best| report.merge(best));
}

fn one_of(nodes: &[Node], new: &Value, old: Option<&Value>, path: &Path<'_>, report: &mut Report) {
    let (mut best, mut valid): (Option<Report>, Vec<Report>) = (None, Vec::new());
    for node in nodes {
        let found = value(node, new, old, path, Ratchet::InParts);
        if found.is_ok() {
            valid.push(found);
        } else if best.as_ref().is_none_or(|best| found.matches > best.matches) {
            best = Some(found);
        }
    }
    let more = match valid.len() {
        1 => return valid.into_iter().for_each(|found| report.merge(found)),
        0 => "Found none valid".to_owned(),
        count => format!("Found {count} valid alternatives"),
    };
    let path = path.to_string();
    report.whole(format!("{path:?} must validate one and only one schema (oneOf). {more}"));
    if valid.is_empty() {
        best.into_iter().for_each(|best| report.merge(best));
    }
}

fn all_of(nodes: &[Node], new: &Value, old: Option<&Value>, path: &Path<'_>, report: &mut Report) {
    let mut valid = 0;
    for node in nodes {
        let found = value(node, new, old, path, Ratchet::InParts);
        valid += usize::from(found.is_ok());
        report.merge(found);
    }
    if valid < nodes.len() {
        let more = if valid == 0 { ". None validated" } else { "" };
        let path = path.to_string();
        report.whole(format!("{path:?} must validate all the schemas (allOf){more}"));
    }
}

/// Says the first thing that is wrong with a text, and whether its format is.
fn string(node: &Node, text: &str, value: &Value, path: &Path<'_>, report: &mut Report) {
    let length = || i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let wrong = node.checks.iter().find(|check| match check {
        Check::MaxLength(limit) => length() > *limit,
        Check::MinLength(limit) => length() < *limit,
        Check::Pattern(pattern) => !pattern::is_match(pattern, text).is_ok_and(|found| found),
        _ => false,
    });
    match wrong {
        Some(Check::MaxLength(limit)) => {
            let detail = format!("may not be more than {limit} bytes");
            report.add(path, ErrorType::TooLong, None, detail);
        }
        Some(Check::MinLength(limit)) => {
            let wanted = format_args!("should be at least {limit} chars long");
            report.invalid(path, value, wanted);
        }
        Some(Check::Pattern(pattern)) => {
            report.invalid(path, value, format_args!("should match '{pattern}'"));
        }
        _ => {}
    }
    if let Some(format) = node.format().filter(|format| !format.accepts(text)) {
        report.type_invalid(path, text, format.name());
    }
}

fn numeric(node: &Node, number: &Number, value: &Value, path: &Path<'_>, report: &mut Report) {
    let shown = |limit: f64| go_float(limit);
    if let Some(format) = node.format().filter(|format| !in_range(number, *format)) {
        let (ty, name) = (node.ty.name(), format.name());
        let text = format!("Checked value must be of type {ty} with format {name} in {path}");
        report.whole(text);
    }
    for check in &node.checks {
        match check {
            Check::MultipleOf(factor) if *factor <= 0.0 => {
                let text = format!(
                    "factor MultipleOf declared for {path} must be positive: {}",
                    shown(*factor)
                );
                report.add(path, ErrorType::Invalid, Some((*factor).into()), text);
            }
            Check::MultipleOf(factor) if !is_multiple(number, *factor) => {
                let wanted = format!("should be a multiple of {}", shown(*factor));
                report.invalid(path, value, wanted);
            }
            Check::Maximum { limit, exclusive }
                if !within(number, *limit, *exclusive, Ordering::Less) =>
            {
                let or_equal = if *exclusive { "" } else { " or equal to" };
                let wanted = format!("should be less than{or_equal} {}", shown(*limit));
                report.invalid(path, value, wanted);
            }
            Check::Minimum { limit, exclusive }
                if !within(number, *limit, *exclusive, Ordering::Greater) =>
            {
                let or_equal = if *exclusive { "" } else { " or equal to" };
                let wanted = format!("should be greater than{or_equal} {}", shown(*limit));
                report.invalid(path, value, wanted);
            }
            _ => {}
        }
    }
    report.matches += 1;
}

fn within(number: &Number, limit: f64, exclusive: bool, side: Ordering) -> bool {
    match compare(number, limit) {
        Some(Ordering::Equal) => !exclusive,
        order => order == Some(side),
    }
}

fn in_range(number: &Number, format: Format) -> bool {
    match format {
        Format::Int32 => {
            number.as_f64().is_some_and(|n| (-2_147_483_648.0..2_147_483_648.0).contains(&n))
        }
        Format::Int64 => !number.is_u64() || number.is_i64(),
        Format::Float => number.as_f64().is_some_and(|n| n.abs() <= f64::from(f32::MAX)),
        _ => true,
    }
}

fn list(node: &Node, items: &[Value], old: Option<&Value>, path: &Path<'_>, report: &mut Report) {
    if let Some(schema) = node.items.as_deref() {
        let before = MapList::new(node, old.and_then(Value::as_array));
        for (at, item) in items.iter().enumerate() {
            let found = value(schema, item, before.get(item), &path.index(at), Ratchet::Here);
            report.merge(found);
        }
    }
    let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
    for check in &node.checks {
        match check {
            Check::MinItems(limit) if size < *limit => {
                let wanted = format!("should have at least {limit} items");
                report.invalid(path, &size.into(), wanted);
            }
            Check::MaxItems(limit) if size > *limit => too_many(size, *limit, path, report),
            _ => {}
        }
    }
    report.matches += 1;
}

fn too_many(size: i64, limit: i64, path: &Path<'_>, report: &mut Report) {
    let detail = format!("must have at most {limit} item{}", if limit == 1 { "" } else { "s" });
    report.add(path, ErrorType::TooMany, Some(size.into()), detail);
}

fn enumeration(node: &Node, value: &Value, path: &Path<'_>, report: &mut Report) {
    let known = node.checks.iter().find_map(|check| match check {
        Check::Enum(known) => Some(known),
        _ => None,
    });
    let Some(known) = known.filter(|known| !known.iter().any(|known| is_same(known, value))) else {
        return;
    };
    let text = |known: &Value| match known {
        Value::String(text) => format!("{text:?}"),
        other => format!("{:?}", other.to_string()),
    };
    let known: Vec<_> = known.iter().map(text).collect();
    let detail = format!("supported values: {}", known.join(", "));
    report.add(path, ErrorType::NotSupported, Some(value.clone()), detail);
}

/// Equality that knows one kind of number. Null is never one of those that are named.
fn is_same(known: &Value, value: &Value) -> bool {
    match (known, value) {
        (Value::Null, _) => false,
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => known == value,
    }
}

fn properties(node: &Node, new: &Map, old: Option<&Map>, path: &Path<'_>, report: &mut Report) {
    let count = i64::try_from(new.len()).unwrap_or(i64::MAX);
    for check in &node.checks {
        match check {
            Check::MinProperties(limit) if count < *limit => {
                let wanted = format!("should have at least {limit} properties");
                report.invalid(path, &count.into(), wanted);
            }
            Check::MaxProperties(limit) if count > *limit => too_many(count, *limit, path, report),
            _ => {}
        }
    }
    unnamed(node, new, old, path, report);
    for (name, schema) in &*node.properties {
        let Some(new) = new.get(&**name) else { continue };
        let old = before(old, name, path);
        report.merge(value(schema, new, old, &path.child(name), Ratchet::Here));
    }
    for check in &node.checks {
        let Check::Required(names) = check else { continue };
        for name in names.iter().filter(|name| !new.contains_key(&***name)) {
            report.required(&path.child(name));
        }
    }
}

/// Properties that are not declared.
fn unnamed(node: &Node, new: &Map, old: Option<&Map>, path: &Path<'_>, report: &mut Report) {
    let Some(rest) = node.rest.as_deref() else { return };
    for (name, new) in new.iter().filter(|(name, _)| node.property(name).is_none()) {
        match rest {
            Rest::Allowed(true) => return,
            Rest::Allowed(false) => {
                let detail = format!("{path}.{name} in body is a forbidden property");
                report.add(path, ErrorType::Invalid, Some(name.as_str().into()), detail);
            }
            Rest::Schema(schema) => {
                let old = before(old, name, path);
                report.merge(value(schema, new, old, &path.child(name), Ratchet::Here));
            }
        }
    }
}

/// The old value of a field. That of `apiVersion` and `kind` can't be known: both objects have the new one.
fn before<'a>(old: Option<&'a Map>, name: &str, path: &Path<'_>) -> Option<&'a Value> {
    let hidden = path.is_root() && matches!(name, "apiVersion" | "kind");
    old.filter(|_| !hidden)?.get(name)
}
