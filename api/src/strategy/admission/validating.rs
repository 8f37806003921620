//! What only validating policies have: validations and audit annotations.

use super::{Map, SPEC, expression};
use crate::admission::Compiler;
use crate::cel::Type;
use crate::strategy::json::{is_empty, list_of, maps_of, str_at, str_of};
use crate::validation::format::qualified_name;
use crate::validation::rules::{one_of, texts};
use crate::validation::{Errors, Path};

/// How many annotations there may be.
const MAX_ANNOTATIONS: usize = 20;
/// How long the expression of one may be.
const MAX_EXPRESSION: usize = 5 * 1024;
const REASONS: [&str; 4] = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];

/// Says what is wrong with them.
pub(super) fn check(object: &Map, spec: &Map, compiler: &Compiler, errors: &mut Errors) {
    if is_empty(spec, "validations") && is_empty(spec, "auditAnnotations") {
        let detail = "validations or auditAnnotations must contain at least one item";
        errors.required(SPEC.child("validations"), detail);
        errors.required(SPEC.child("auditAnnotations"), detail);
        return;
    }
    let list = SPEC.child("validations");
    for (at, validation) in maps_of(spec, "validations") {
        check_validation(validation, compiler, &list.index(at), errors);
    }
    annotations(object, spec, compiler, errors);
}

fn check_validation(validation: &Map, compiler: &Compiler, path: &Path<'_>, errors: &mut Errors) {
    let missing = "expression is not specified";
    let compile = |text: &str| compiler.compile(text, true, &[Type::Bool]);
    expression(validation, "expression", missing, compile, path, errors);
    let text = str_of(validation, "messageExpression");
    if !text.is_empty() && text.trim().is_empty() {
        let detail = "must be non-empty if specified";
        errors.invalid(path.child("messageExpression"), text, detail);
    } else if !text.is_empty() {
        let compile = |text: &str| compiler.compile(text, false, &[Type::String]);
        expression(validation, "messageExpression", "", compile, path, errors);
    }
    let message = str_of(validation, "message");
    if !message.is_empty() && message.trim().is_empty() {
        errors.invalid(path.child("message"), message, "message must be non-empty if specified");
    } else if message.trim().contains(['\n', '\r']) {
        errors.invalid(path.child("message"), message, "message must not contain line breaks");
    }
    if !is_empty(validation, "reason") {
        one_of(validation, "reason", &REASONS, path, errors);
    }
}

fn annotations(object: &Map, spec: &Map, compiler: &Compiler, errors: &mut Errors) {
    let list = SPEC.child("auditAnnotations");
    let all = list_of(spec, "auditAnnotations");
    if all.len() > MAX_ANNOTATIONS {
        let detail = format!("must not have more than {MAX_ANNOTATIONS} auditAnnotations");
        errors.invalid(list, all, &detail);
    }
    let name = str_at(object, &["metadata", "name"]);
    let mut keys = std::collections::BTreeSet::new();
    for (at, annotation) in maps_of(spec, "auditAnnotations") {
        let path = list.index(at);
        let key = str_of(annotation, "key");
        let whole = format!("{name}/{key}");
        texts(path.child("key"), &whole, &qualified_name(&whole), errors);
        if !keys.insert(key) {
            errors.duplicate(path.child("key"), key);
        }
        if str_of(annotation, "valueExpression").trim().len() > MAX_EXPRESSION {
            let detail = format!("must not exceed {MAX_EXPRESSION} bytes in length");
            errors.required(path.child("valueExpression"), &detail);
            continue;
        }
        let missing = "valueExpression is not specified";
        let wanted = [Type::String, Type::Null];
        let compile = |text: &str| compiler.compile(text.trim(), true, &wanted);
        expression(annotation, "valueExpression", missing, compile, &path, errors);
    }
}
