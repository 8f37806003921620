//! Expressions of webhooks and policies: what they may name, and how they are evaluated.

mod compiler;
mod decisions;
mod scope;

pub(crate) use compiler::Compiler;
pub(super) use decisions::Decisions;

use super::view::View;
use super::{AdmissionRequest, rules};
use crate::authorization::Authorizer;
use crate::cel::{
    Authz, EvalError, MATCH_CONDITIONS_BUDGET, Map as CelMap, Named, Program, Subject, Type, Value,
    Variables,
};
use crate::registry::Entry;
use crate::strategy::Map;
use serde::Deserialize;
use serde_json::Value as Json;
use std::borrow::Cow;
use windlass_core::meta::Status;

/// What is said when nothing is left of the budget.
pub(super) const OUT_OF_BUDGET: &str =
    "validation failed due to running out of cost budget, no further validation rules will be run";

/// A name and an expression: a match condition, a variable.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct NamedExpression {
    pub(super) name: String,
    pub(super) expression: String,
}

/// An expression that was compiled, or why it can't be.
#[derive(Debug)]
pub(super) struct Expression {
    pub(super) text: String,
    pub(super) program: Result<Program, String>,
}

/// What expressions are evaluated for: everything that is the same for all of them.
pub(super) struct Input<'a> {
    object: Option<Cow<'a, Map>>,
    old: Option<Cow<'a, Map>>,
    request: Json,
    namespace: Json,
    subject: Subject,
    pub(super) decisions: Decisions,
}

/// Conditions that must all be true.
pub(super) struct Conditions {
    expressions: Vec<Expression>,
    /// What is done when one fails: nobody gets past it, or it counts as false.
    fail: bool,
}

/// There is nothing left to evaluate with.
#[derive(Debug)]
pub(super) struct OutOfBudget;

// === impl Expression ===

impl Expression {
    /// An expression, and what compiling it led to.
    pub(super) fn new(text: &str, program: Result<Program, String>) -> Self {
        Self { text: text.to_owned(), program }
    }

    /// The value; or what is said of an expression that has none.
    pub(super) fn evaluate<'a>(
        &'a self,
        scope: &[(&'a str, Value<'a>)],
        variables: Option<&Variables<'a>>,
        budget: &mut u64,
    ) -> Result<Result<Value<'a>, String>, OutOfBudget> {
        let program = match &self.program {
            Ok(program) => program,
            Err(error) => return Ok(Err(format!("compilation error: {error}"))),
        };
        let value = program.eval(scope.to_vec(), budget);
        let lazily = variables.map_or(0, Variables::take_cost);
        *budget = budget.saturating_sub(lazily);
        match value {
            Err(EvalError::Budget) if *budget == 0 => Err(OutOfBudget),
            _ if lazily > 0 && *budget == 0 => Err(OutOfBudget),
            Ok(value) => Ok(Ok(value)),
            Err(error) => Ok(Err(format!("expression '{}' resulted in error: {error}", self.text))),
        }
    }
}

// === impl Input ===

impl<'a> Input<'a> {
    /// For a request, as a resource sees it.
    pub(super) async fn of(
        view: &View,
        entry: &Entry,
        request: &'a AdmissionRequest<'_>,
    ) -> Result<Self, Status> {
        let object = match &request.object {
            Some(object) => Some(view.object(entry, object).await?),
            None => None,
        };
        let old = match request.old {
            Some(old) => Some(view.object(entry, old).await?),
            None => None,
        };
        let gvr = &view.entry.info.gvr;
        let subject = Subject::Resource {
            group: gvr.group.to_string(),
            resource: gvr.resource.to_string(),
            subresource: request.subresource.to_owned(),
            namespace: view.namespace.clone(),
            name: view.name.clone(),
            fields: String::new(),
            labels: String::new(),
        };
        let shown = serde_json::to_value(view.shown(request, entry)).map_err(Status::internal)?;
        let decisions = Decisions::default();
        let namespace = Json::Null;
        Ok(Self { object, old, request: shown, namespace, subject, decisions })
    }

    /// With the namespace that the object is in; a namespace itself has none.
    pub(super) async fn with_namespace(
        mut self,
        view: &View,
        request: &AdmissionRequest<'_>,
    ) -> Result<Self, Status> {
        let is_namespace = *request.resource == windlass_core::scheme::NAMESPACES;
        if !view.namespace.is_empty()
            && !is_namespace
            && request.objects.serves(&windlass_core::scheme::NAMESPACES)
        {
            let found = rules::namespace(request, &view.namespace).await?;
            self.namespace = scope::namespace(&found)?;
        }
        Ok(self)
    }

    /// The object as the request would have it.
    pub(super) fn object(&self) -> Option<&Map> {
        self.object.as_deref()
    }

    /// The values that expressions may name, `variables` not among them.
    pub(super) fn scope<'v>(&'v self, params: Option<&'v Json>) -> Vec<(&'v str, Value<'v>)> {
        let map = |object: Option<&'v Map>| match object {
            Some(map) => Value::Map(CelMap::Json(map, None)),
            None => Value::Null,
        };
        let params = params.map_or(Value::Null, |params| Value::from_json(params, None));
        vec![
            ("object", map(self.object.as_deref())),
            ("oldObject", map(self.old.as_deref())),
            ("request", Value::from_json(&self.request, None)),
            ("namespaceObject", Value::from_json(&self.namespace, Some(scope::namespace_shape()))),
            ("params", params),
            ("authorizer", Authz::authorizer(&self.decisions, self.subject.clone())),
        ]
    }

    /// Evaluates until all that expressions ask the authorizer for is known.
    pub(super) async fn settle<T: Send>(
        &self,
        authorizer: &dyn Authorizer,
        request: &AdmissionRequest<'_>,
        mut evaluate: impl FnMut(&Self) -> T,
    ) -> T {
        loop {
            let outcome = evaluate(self);
            if !self.decisions.learn(authorizer, request.user).await {
                return outcome;
            }
        }
    }
}

/// Adds `variables` to a scope.
pub(super) fn with_variables<'a>(
    mut scope: Vec<(&'a str, Value<'a>)>,
    programs: &'a [Named],
) -> (Vec<(&'a str, Value<'a>)>, Variables<'a>) {
    let variables = Variables::new(programs, scope.clone());
    scope.push(("variables", Value::Variables(variables.clone())));
    (scope, variables)
}

// === impl Conditions ===

impl Conditions {
    /// Compiles the conditions of a webhook or a policy; `params`: they may look at parameters.
    pub(super) fn compile(given: &[NamedExpression], params: bool, fail: bool) -> Self {
        let compiler = Compiler::new(params);
        let compile = |one: &NamedExpression| {
            Expression::new(&one.expression, compiler.compile(&one.expression, true, &[Type::Bool]))
        };
        Self { expressions: given.iter().map(compile).collect(), fail }
    }

    /// Conditions of which nobody can say whether they hold: nobody gets past them.
    pub(super) fn undecidable(why: String) -> Self {
        Self { expressions: vec![Expression::new("", Err(why))], fail: true }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.expressions.is_empty()
    }

    /// Whether all are true; what went wrong if that can't be said.
    pub(super) fn hold(&self, input: &Input<'_>, params: Option<&Json>) -> Result<bool, String> {
        let scope = input.scope(params);
        let (mut budget, mut errors) = (MATCH_CONDITIONS_BUDGET, Vec::new());
        for expression in &self.expressions {
            match expression.evaluate(&scope, None, &mut budget) {
                Err(OutOfBudget) if self.fail => return Err(OUT_OF_BUDGET.to_owned()),
                Err(OutOfBudget) => return Ok(false),
                Ok(Ok(Value::Bool(false))) => return Ok(false),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => errors.push(error),
            }
        }
        match (errors.as_slice(), self.fail) {
            ([], _) => Ok(true),
            (_, false) => Ok(false),
            ([one], true) => Err(one.clone()),
            (several, true) => Err(format!("[{}]", several.join(", "))),
        }
    }
}
