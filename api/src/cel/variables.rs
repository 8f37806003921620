//! `variables`: named expressions, each evaluated when it is first read, and once.

use super::error::EvalError;
use super::value::Value;
use super::{PER_CALL_LIMIT, Program, eval};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// One of them: a name and its expression, or why that does not compile.
pub type Named = (Box<str>, Result<Program, String>);

/// The values of some named expressions, over the same scope as the expressions that read them. Each may read those
/// before it.
#[derive(Clone)]
pub struct Variables<'a>(Rc<Inner<'a>>);

struct Inner<'a> {
    programs: &'a [Named],
    scope: Vec<(&'a str, Value<'a>)>,
    known: RefCell<Vec<Option<Result<Value<'a>, EvalError>>>>,
    spent: Cell<u64>,
}

// === impl Variables ===

impl<'a> Variables<'a> {
    /// Over a scope that has no `variables` itself.
    #[must_use]
    pub fn new(programs: &'a [Named], scope: Vec<(&'a str, Value<'a>)>) -> Self {
        let known = RefCell::new(vec![None; programs.len()]);
        Self(Rc::new(Inner { programs, scope, known, spent: Cell::new(0) }))
    }

    /// What evaluating them has cost since this was asked last.
    #[must_use]
    pub fn take_cost(&self) -> u64 {
        self.0.spent.take()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    pub(super) fn get(&self, name: &str) -> Result<Value<'a>, EvalError> {
        let place = self.place(name).ok_or_else(|| EvalError::no_key(name))?;
        if let Some(known) = &self.0.known.borrow()[place] {
            return known.clone();
        }
        let value = self.evaluate(place);
        self.0.known.borrow_mut()[place] = Some(value.clone());
        value
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.programs.iter().position(|(known, _)| **known == *name)
    }

    fn evaluate(&self, place: usize) -> Result<Value<'a>, EvalError> {
        let (name, program) = &self.0.programs[place];
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            EvalError::failed(format!("composited variable {name:?} fails to {what}: {why}"))
        };
        let program = program.as_ref().map_err(|error| failed("compile", error))?;
        let mut scope = self.0.scope.clone();
        scope.push(("variables", Value::Variables(self.clone())));
        let mut evaluation = eval::Evaluation::new(scope, PER_CALL_LIMIT);
        let value = evaluation.eval(&program.expr);
        let cost = PER_CALL_LIMIT - evaluation.left();
        self.0.spent.set(self.0.spent.get().saturating_add(cost));
        value.map_err(|error| failed("evaluate", &error))
    }
}

impl std::fmt::Debug for Variables<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.0.programs.iter().map(|(name, _)| name);
        f.debug_set().entries(names).finish()
    }
}
