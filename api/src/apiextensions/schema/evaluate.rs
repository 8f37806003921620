//! Evaluates the rules of a schema for an object.

use super::correlate::MapList;
use super::node::{Flags, Node, Type};
use super::rules::Rule;
use crate::cel::{self, EvalError, RUNTIME_BUDGET};
use crate::strategy::Map;
use crate::validation::{ErrorType, Errors, Path};
use serde_json::Value;

const MAX_MESSAGE: usize = 5 * 1024;
const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// Adds the rules that an object breaks.
pub(super) fn object(root: &Node, new: &Map, old: Option<&Map>, errors: &mut Errors) {
    if !root.has(Flags::HAS_RULES) {
        return;
    }
    let mut run = Run { budget: RUNTIME_BUDGET, errors };
    let about = About {
        new: cel::Value::Map(cel::Map::Json(new, Some(root))),
        old: old.map(|old| cel::Value::Map(cel::Map::Json(old, Some(root)))),
        value: None,
    };
    let same = || old == Some(new);
    let done = run.rules(root, &about, &same, &Path::ROOT);
    if done.is_ok() {
        let fields = run.fields(root, new, old, &same, true, &Path::ROOT);
        // What is left over was said where it ended.
        drop(fields);
    }
}

/// The same for a value that stands at this path.
pub(super) fn part(
    node: &Node,
    new: &Value,
    old: Option<&Value>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut run = Run { budget: RUNTIME_BUDGET, errors };
    drop(run.value(node, new, old, &|| old == Some(new), path));
}

/// No rule is evaluated after the budget is used up.
struct Stopped;

struct Run<'e> {
    budget: u64,
    errors: &'e mut Errors,
}

/// What a rule is about.
struct About<'a> {
    new: cel::Value<'a>,
    old: Option<cel::Value<'a>>,
    /// As it is shown in errors; objects and lists are not.
    value: Option<&'a Value>,
}

// === impl Run ===

impl Run<'_> {
    /// `same` says whether the value, or the nearest one around it that can be compared, did not change.
    fn value(
        &mut self,
        node: &Node,
        new: &Value,
        old: Option<&Value>,
        same: &dyn Fn() -> bool,
        path: &Path<'_>,
    ) -> Result<(), Stopped> {
        if new.is_null() || !node.has(Flags::HAS_RULES) {
            return Ok(());
        }
        let old = old.filter(|old| !old.is_null());
        let same = || old.map_or_else(same, |old| old == new);
        let shown = !matches!(node.ty, Type::Object | Type::Array);
        let about = About {
            new: cel::Value::from_json(new, Some(node)),
            old: old.map(|old| cel::Value::from_json(old, Some(node))),
            value: shown.then_some(new),
        };
        self.rules(node, &about, &same, path)?;
        match new {
            Value::Object(new) => {
                self.fields(node, new, old.and_then(Value::as_object), &same, false, path)
            }
            Value::Array(items) => self.items(node, items, old, &same, path),
            _ => Ok(()),
        }
    }

    fn items(
        &mut self,
        node: &Node,
        items: &[Value],
        old: Option<&Value>,
        same: &dyn Fn() -> bool,
        path: &Path<'_>,
    ) -> Result<(), Stopped> {
        let Some(schema) = node.items.as_deref().filter(|items| items.has(Flags::HAS_RULES)) else {
            return Ok(());
        };
        let before = MapList::new(node, old.and_then(Value::as_array));
        for (at, item) in items.iter().enumerate() {
            self.value(schema, item, before.get(item), same, &path.index(at))?;
        }
        Ok(())
    }

    fn fields(
        &mut self,
        node: &Node,
        new: &Map,
        old: Option<&Map>,
        same: &dyn Fn() -> bool,
        root: bool,
        path: &Path<'_>,
    ) -> Result<(), Stopped> {
        for (name, value) in new {
            let before = old.and_then(|old| old.get(name));
            // Of these the old value can't be known.
            let hidden = root && matches!(name.as_str(), "apiVersion" | "kind");
            let same = || !hidden && same();
            if let Some(property) = node.property(name) {
                self.value(property, value, before, &same, &path.child(name))?;
            } else if let Some(node) = node.additional() {
                self.value(node, value, before, &same, &path.key(name))?;
            }
        }
        Ok(())
    }

    fn rules(
        &mut self,
        node: &Node,
        about: &About<'_>,
        same: &dyn Fn() -> bool,
        path: &Path<'_>,
    ) -> Result<(), Stopped> {
        for rule in node.rules() {
            if rule.uses_old && about.old.is_none() && !rule.optional_old {
                continue;
            }
            self.rule(node, rule, about, same, path)?;
        }
        Ok(())
    }

    fn rule(
        &mut self,
        node: &Node,
        rule: &Rule,
        about: &About<'_>,
        same: &dyn Fn() -> bool,
        path: &Path<'_>,
    ) -> Result<(), Stopped> {
        let ty = Value::from(node.ty.name());
        if self.budget == 0 {
            self.errors.add(ErrorType::Invalid, path, Some(&ty), OUT_OF_BUDGET);
            return Err(Stopped);
        }
        match rule.program.eval(variables(rule, about), &mut self.budget) {
            Ok(cel::Value::Bool(true)) => Ok(()),
            Ok(cel::Value::Bool(false)) => self.broken(node, rule, about, same, path),
            Ok(_) => {
                let detail = format!("no such overload evaluating rule: {}", rule.name);
                self.errors.add(ErrorType::Invalid, path, Some(&ty), &detail);
                Ok(())
            }
            Err(error) => {
                let (detail, stop) = failure(&error, rule, self.budget == 0);
                self.errors.add(ErrorType::Invalid, path, Some(&ty), &detail);
                if stop { Err(Stopped) } else { Ok(()) }
            }
        }
    }

    /// Says that a rule is false, unless nothing changed.
    fn broken(
        &mut self,
        node: &Node,
        rule: &Rule,
        about: &About<'_>,
        same: &dyn Fn() -> bool,
        path: &Path<'_>,
    ) -> Result<(), Stopped> {
        if !rule.uses_old && same() {
            return Ok(());
        }
        let (message, stop) = self.message(rule, about);
        let field = match &rule.field_path {
            Some(field) if path.is_root() => field.to_string(),
            Some(field) => format!("{path}.{field}"),
            None if path.is_root() => "<nil>".to_owned(),
            None => path.to_string(),
        };
        if stop {
            let ty = Value::from(node.ty.name());
            self.errors.add(ErrorType::Invalid, field, Some(&ty), &message);
            return Err(Stopped);
        }
        let (value, message) = match rule.reason {
            ErrorType::Forbidden | ErrorType::Required => (None, message.as_str()),
            ErrorType::Duplicate => (about.value, ""),
            _ => (about.value, message.as_str()),
        };
        self.errors.add(rule.reason, field, value, message);
        Ok(())
    }

    /// What is said of a broken rule, and whether it is the last thing.
    fn message(&mut self, rule: &Rule, about: &About<'_>) -> (String, bool) {
        let fallback = || (rule.message.to_string(), false);
        let Some(expression) = &rule.message_expression else { return fallback() };
        match expression.eval(variables(rule, about), &mut self.budget) {
            Ok(cel::Value::String(text)) => {
                let text = text.trim();
                let good = !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('\n');
                if good { (text.to_owned(), false) } else { fallback() }
            }
            Err(EvalError::Budget) => {
                let text = "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run";
                (text.to_owned(), true)
            }
            _ => fallback(),
        }
    }
}

fn variables<'a>(rule: &Rule, about: &About<'a>) -> Vec<(&'static str, cel::Value<'a>)> {
    let mut variables = vec![("self", about.new.clone())];
    if rule.uses_old {
        let old = about.old.clone();
        if rule.optional_old {
            variables.push(("oldSelf", cel::Value::Optional(old.map(std::rc::Rc::new))));
        } else {
            variables.extend(old.map(|old| ("oldSelf", old)));
        }
    }
    variables
}

/// How a rule that failed is reported, and whether it was the last.
fn failure(error: &EvalError, rule: &Rule, empty: bool) -> (String, bool) {
    let name = &rule.name;
    match error {
        EvalError::Budget if empty => (OUT_OF_BUDGET.to_owned(), true),
        EvalError::Budget => {
            let text = format!(
                "'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {name}"
            );
            (text, true)
        }
        EvalError::Failed(text) if text.starts_with("no such overload") => {
            let text = format!(
                "'{error}': call arguments did not match a supported operator, function or macro signature for rule: {name}"
            );
            (text, false)
        }
        EvalError::Failed(text) => (format!("{text} evaluating rule: {name}"), false),
    }
}
