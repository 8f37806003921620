//! What a validating policy says of an object. Pure.

use super::definition::{Policy, Validation};
use crate::admission::expression::{Input, OUT_OF_BUDGET, OutOfBudget, with_variables};
use crate::cel::{RUNTIME_BUDGET, Value, Variables};
use serde_json::Value as Json;
use windlass_core::meta::Reason;

/// Longer messages are not shown.
const MAX_MESSAGE: usize = 5 * 1024;

/// What a policy says.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// What is to be denied.
    pub(super) denials: Vec<Denial>,
    /// For the audit log.
    pub(super) annotations: Vec<(String, String)>,
    /// Why annotations could not be made.
    pub(super) failed: Vec<String>,
}

/// A validation that is not true, or can't be evaluated.
#[derive(Debug)]
pub(super) struct Denial {
    /// Its place among the validations.
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) reason: Reason,
}

type Scope<'a> = Vec<(&'a str, Value<'a>)>;

/// Evaluates a policy for an object and parameters.
pub(super) fn evaluate(policy: &Policy, input: &Input<'_>, params: Option<&Json>) -> Verdict {
    let mut verdict = Verdict::default();
    match policy.conditions.hold(input, params) {
        Ok(true) => {}
        Ok(false) => return verdict,
        Err(why) => {
            verdict.denials.extend(failure(policy, 0, why));
            return verdict;
        }
    }
    let (scope, variables) = with_variables(input.scope(params), &policy.variables);
    let mut budget = RUNTIME_BUDGET;
    for (at, validation) in policy.validations.iter().enumerate() {
        match validate(policy, at, validation, &scope, &variables, &mut budget) {
            Ok(denial) => verdict.denials.extend(denial),
            Err(OutOfBudget) => {
                verdict.denials =
                    failure(policy, 0, OUT_OF_BUDGET.to_owned()).into_iter().collect();
                return verdict;
            }
        }
    }
    annotate(policy, &scope, &variables, &mut verdict);
    verdict
}

fn failure(policy: &Policy, at: usize, message: String) -> Option<Denial> {
    policy.fail.then_some(Denial { at, message, reason: Reason::Invalid })
}

fn validate<'a>(
    policy: &'a Policy,
    at: usize,
    validation: &'a Validation,
    scope: &Scope<'a>,
    variables: &Variables<'a>,
    budget: &mut u64,
) -> Result<Option<Denial>, OutOfBudget> {
    match validation.expression.evaluate(scope, Some(variables), budget)? {
        Err(why) => Ok(failure(policy, at, why)),
        Ok(Value::Bool(true)) => Ok(None),
        Ok(_) => {
            let message = message(validation, scope, variables, budget)?;
            Ok(Some(Denial { at, message, reason: validation.reason.clone() }))
        }
    }
}

/// What is said of a validation that is not true: a message that can't be made is not missed.
fn message<'a>(
    validation: &'a Validation,
    scope: &Scope<'a>,
    variables: &Variables<'a>,
    budget: &mut u64,
) -> Result<String, OutOfBudget> {
    let Some(expression) = &validation.message_expression else {
        return Ok(validation.message.clone());
    };
    if let Ok(Value::String(text)) = expression.evaluate(scope, Some(variables), budget)? {
        let text = text.trim();
        if !text.is_empty() && text.len() <= MAX_MESSAGE && !text.contains('\n') {
            return Ok(text.to_owned());
        }
    }
    Ok(validation.message.clone())
}

fn annotate<'a>(
    policy: &'a Policy,
    scope: &Scope<'a>,
    variables: &Variables<'a>,
    verdict: &mut Verdict,
) {
    let mut budget = RUNTIME_BUDGET;
    for (key, expression) in &policy.annotations {
        let value = expression.evaluate(scope, Some(variables), &mut budget);
        let failed = match value {
            Ok(Ok(Value::String(text))) => {
                let text = text.trim();
                if !text.is_empty() {
                    verdict.annotations.push((key.clone(), text.to_owned()));
                }
                continue;
            }
            Ok(Ok(Value::Null)) => continue,
            Ok(Ok(other)) => format!(
                "valueExpression '{}' resulted in unsupported return type: {}. Return type must be either string or null.",
                expression.text,
                other.type_name()
            ),
            Ok(Err(why)) => why,
            Err(OutOfBudget) => OUT_OF_BUDGET.to_owned(),
        };
        if policy.fail {
            verdict.failed.push(failed);
        }
    }
}
