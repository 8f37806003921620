//! `x-kubernetes-validations`: rules of a schema, compiled.

use super::props::Props;
use super::{declare, field_path};
use crate::cel::types::Declared;
use crate::cel::{Environment, Program, Type, Variable};
use crate::validation::{ErrorType, Errors, Path};
use std::sync::Arc;

/// What one rule may cost by estimate, over all values it applies to.
pub(super) const RULE_LIMIT: u64 = 10_000_000;
/// The same for all rules of a schema.
const TOTAL_LIMIT: u64 = 100_000_000;
const RULES: &str = "x-kubernetes-validations";
const REASONS: [&str; 4] =
    ["FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired", "FieldValueDuplicate"];

/// One rule. Its parts are shared by all objects it is evaluated for.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) program: Program,
    pub(super) uses_old: bool,
    pub(super) optional_old: bool,
    /// What is said when it is false and the expression for that gives nothing.
    pub(super) message: Box<str>,
    /// What names it in other errors.
    pub(super) name: Box<str>,
    pub(super) message_expression: Option<Program>,
    pub(super) reason: ErrorType,
    pub(super) field_path: Option<Box<str>>,
}

/// What the rules of a schema cost together.
#[derive(Debug, Default)]
pub(super) struct Total {
    cost: u64,
    /// The most expensive, with their paths.
    worst: Vec<(u64, String)>,
}

/// What a compiled rule is about.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) declared: &'a Arc<Declared>,
    /// How often the value can be there; none if nothing bounds it.
    pub(super) cardinality: Option<u64>,
    /// Where old values can't be found.
    pub(super) uncorrelated: Option<&'a str>,
}

/// Says what is wrong with rules without looking into their expressions.
pub(super) fn check_form(schema: Props<'_>, path: &Path<'_>, errors: &mut Errors) {
    let list = path.child(RULES);
    for (at, rule) in schema.schemas(RULES).enumerate() {
        let path = list.index(at);
        let (text, message) = (rule.str("rule").trim(), rule.str("message"));
        let breaks = |text: &str| text.contains(['\n', '\r']);
        if text.is_empty() {
            errors.required(path.child("rule"), "rule is not specified");
        } else if !message.is_empty() && message.trim().is_empty() {
            errors.invalid(path.child("message"), message, "must be non-empty if specified");
        } else if breaks(message.trim()) {
            errors.invalid(path.child("message"), message, "must not contain line breaks");
        } else if breaks(text) && message.trim().is_empty() {
            let detail = "message must be specified if rule contains line breaks";
            errors.required(path.child("message"), detail);
        }
        let expression = rule.str("messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            let detail = "messageExpression must be non-empty if specified";
            errors.required(path.child("messageExpression"), detail);
        }
        if let Some(reason) = rule.get("reason").filter(|r| !REASONS.iter().any(|known| r == known))
        {
            let mut known = REASONS;
            known.sort_unstable();
            errors.unsupported(path.child("reason"), reason, &known);
        }
        check_field_path(schema, rule.str("fieldPath"), &path.child("fieldPath"), errors);
    }
}

fn check_field_path(schema: Props<'_>, text: &str, path: &Path<'_>, errors: &mut Errors) {
    if text.is_empty() {
        return;
    }
    if text.trim().is_empty() {
        errors.invalid(path, text, "must be non-empty if specified");
    }
    if text.contains(['\n', '\r']) {
        errors.invalid(path, text, "must not contain line breaks");
    }
    if field_path::resolve(text, schema).is_none() {
        errors.invalid(path, text, "must be a valid path");
    }
}

/// Compiles the rules of a schema, and says which don't compile or cost too much.
pub(super) fn compile(
    schema: Props<'_>,
    scope: Scope<'_>,
    total: &mut Total,
    path: &Path<'_>,
    errors: &mut Errors,
) -> Vec<Rule> {
    let list = path.child(RULES);
    let mut rules = Vec::new();
    for (at, rule) in schema.schemas(RULES).enumerate() {
        rules.extend(one(schema, rule, scope, total, &list.index(at), errors));
    }
    rules
}

fn one(
    schema: Props<'_>,
    rule: Props<'_>,
    scope: Scope<'_>,
    total: &mut Total,
    path: &Path<'_>,
    errors: &mut Errors,
) -> Option<Rule> {
    let optional_old = rule.is("optionalOldSelf");
    let environment = environment(scope.declared, optional_old);
    let (rule_path, text) = (path.child("rule"), rule.str("rule"));
    let refuse = |detail: &str, errors: &mut Errors| {
        errors.invalid(rule_path, rule.value(), detail);
    };
    let program = match environment.compile(text) {
        Ok(program) => program,
        Err(error) => {
            refuse(&format!("compilation failed: {error}"), errors);
            return None;
        }
    };
    if *program.ty() != Type::Bool {
        refuse("cel expression must evaluate to a bool", errors);
        return None;
    }
    let times = scope.cardinality.unwrap_or_else(|| declare::max_cardinality(scope.declared));
    let cost = program.max_cost().saturating_mul(times);
    limit("estimated rule cost", cost, &rule_path, errors);
    total.observe(&rule_path, cost);
    let uses_old = program.uses("oldSelf");
    if let Some(place) = scope.uncorrelated.filter(|_| uses_old) {
        let detail = format!(
            "oldSelf cannot be used on the uncorrelatable portion of the schema within {place}"
        );
        errors.invalid(rule_path, text, &detail);
    }
    if let Some(value) = rule.get("optionalOldSelf").filter(|_| !uses_old) {
        let detail = "may not be set if oldSelf is not used in rule";
        errors.invalid(path.child("optionalOldSelf"), value.clone(), detail);
    }
    let message_expression = message_expression(&environment, rule, total, path, errors);
    Some(finish(schema, rule, program, message_expression))
}

fn finish(
    schema: Props<'_>,
    rule: Props<'_>,
    program: Program,
    message_expression: Option<Program>,
) -> Rule {
    let (text, message) = (rule.str("rule").trim(), rule.str("message").trim());
    let said = if message.is_empty() { format!("failed rule: {text}") } else { message.to_owned() };
    Rule {
        uses_old: program.uses("oldSelf"),
        optional_old: rule.is("optionalOldSelf"),
        program,
        message: said.into(),
        name: if message.is_empty() { text.into() } else { message.into() },
        message_expression,
        reason: match rule.str("reason") {
            "FieldValueForbidden" => ErrorType::Forbidden,
            "FieldValueRequired" => ErrorType::Required,
            "FieldValueDuplicate" => ErrorType::Duplicate,
            _ => ErrorType::Invalid,
        },
        field_path: field_path::resolve(rule.str("fieldPath"), schema).map(Into::into),
    }
}

fn message_expression(
    environment: &Environment,
    rule: Props<'_>,
    total: &mut Total,
    path: &Path<'_>,
    errors: &mut Errors,
) -> Option<Program> {
    let text = rule.str("messageExpression");
    if text.is_empty() {
        return None;
    }
    let path = path.child("messageExpression");
    let program = match environment.compile(text) {
        Ok(program) if *program.ty() == Type::String => program,
        Ok(_) => {
            let detail = "messageExpression must evaluate to a string";
            errors.invalid(path, rule.value(), detail);
            return None;
        }
        Err(error) => {
            let detail = format!("messageExpression compilation failed: {error}");
            errors.invalid(path, rule.value(), &detail);
            return None;
        }
    };
    limit("estimated messageExpression cost", program.max_cost(), &path, errors);
    total.observe(&path, program.max_cost());
    Some(program)
}

fn environment(declared: &Arc<Declared>, optional_old: bool) -> Environment {
    let ty = declared.ty();
    let old = if optional_old { Type::Optional(Arc::new(ty.clone())) } else { ty.clone() };
    let variable = |name, ty| Variable { name, ty, declared: Some(Arc::clone(declared)) };
    Environment::new([variable("self", ty), variable("oldSelf", old)])
}

fn limit(what: &str, cost: u64, path: &Path<'_>, errors: &mut Errors) {
    if cost > RULE_LIMIT {
        errors.forbidden(path, &exceeded(what, cost, RULE_LIMIT));
    }
}

#[expect(clippy::cast_precision_loss, reason = "only shown")]
fn exceeded(what: &str, cost: u64, limit: u64) -> String {
    let factor = cost as f64 / limit as f64;
    let factor = if factor > 100.0 {
        "more than 100x".to_owned()
    } else if factor < 1.5 {
        format!("{factor:.6}x")
    } else {
        format!("{factor:.1}x")
    };
    format!(
        "{what} exceeds budget by factor of {factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
}

// === impl Rule ===

#[cfg(test)]
impl Rule {
    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> usize {
        let programs = [Some(&self.program), self.message_expression.as_ref()];
        let programs: usize = programs.into_iter().flatten().map(Program::weight).sum();
        size_of::<Self>() + self.message.len() + self.name.len() + programs
    }
}

// === impl Total ===

impl Total {
    fn observe(&mut self, path: &Path<'_>, cost: u64) {
        self.cost = self.cost.saturating_add(cost);
        if cost < TOTAL_LIMIT / 100 {
            return;
        }
        self.worst.push((cost, path.to_string()));
        self.worst.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        self.worst.truncate(4);
    }

    /// Says when all rules together cost too much.
    pub(super) fn check(&self, path: &Path<'_>, errors: &mut Errors) {
        if self.cost <= TOTAL_LIMIT {
            return;
        }
        for (_, path) in &self.worst {
            let detail = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
            errors.forbidden(path, detail);
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.forbidden(path, &exceeded(what, self.cost, TOTAL_LIMIT));
    }
}
