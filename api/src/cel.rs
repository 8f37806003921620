//! The Common Expression Language, as Kubernetes has it: compile once, evaluate with a budget.
//!
//! ```
//! use windlass_api::cel::{Environment, Type, Value, Variable};
//!
//! let object = Variable { name: "object", ty: Type::Dyn, declared: None };
//! let program = Environment::new([object]).compile("object.spec.replicas <= 5").expect("compiles");
//! let json = serde_json::json!({"spec": {"replicas": 3}});
//! let mut budget = 1_000;
//! let value = program.eval(vec![("object", Value::from_json(&json, None))], &mut budget);
//! assert!(matches!(value, Ok(Value::Bool(true))));
//! ```

mod ast;
mod authz;
mod check;
mod cost;
pub(crate) mod duration;
mod error;
pub(crate) mod escape;
mod eval;
mod foreign;
mod json;
mod lexer;
mod library;
mod parser;
mod shape;
pub(crate) mod types;
mod value;
mod variables;

#[cfg(test)]
mod tests;

pub use authz::{Authz, Check, Decide, Decision, Subject};
pub use check::Variable;
pub use error::{CompileError, EvalError};
pub use escape::{escape, unescape};
pub use foreign::Foreign;
pub use shape::{Elements, Scalar, Shape};
pub use types::{Declared, Type};
pub use value::{List, Map, Text, Value};
pub use variables::{Named, Variables};

pub(crate) use authz::AUTHORIZER;

/// What one expression may cost: about a tenth of a second.
pub const PER_CALL_LIMIT: u64 = 1_000_000;
/// What all expressions about one object may cost together.
pub const RUNTIME_BUDGET: u64 = 10_000_000;
/// What all match conditions of one webhook or binding may cost together.
pub const MATCH_CONDITIONS_BUDGET: u64 = 2_500_000;

/// What expressions may name.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Vec<Variable>,
    patches: bool,
}

/// An expression that was checked. Evaluating it changes nothing in it: it may be shared.
#[derive(Debug)]
pub struct Program {
    expr: ast::Expr,
    ty: Type,
    max_cost: u64,
    mismatch: Option<String>,
}

// === impl Environment ===

impl Environment {
    /// An environment with these variables; the last of a name counts.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = Variable>) -> Self {
        Self { variables: variables.into_iter().collect(), patches: false }
    }

    /// The same, with the types of objects and patches that an expression may make: `Object`, `Object.spec`, …, and
    /// `JSONPatch`.
    #[must_use]
    pub fn with_patches(self) -> Self {
        Self { patches: true, ..self }
    }

    /// Parses an expression and checks its types.
    ///
    /// # Errors
    /// Where it is no expression, names what is not there, or mixes types; all mistakes of a kind at once.
    pub fn compile(&self, source: &str) -> Result<Program, CompileError> {
        let expr =
            parser::parse(source).map_err(|mistake| CompileError::new(source, vec![mistake]))?;
        let (info, mismatch) = check::check(&expr, &self.variables, self.patches)
            .map_err(|mistakes| CompileError::new(source, mistakes))?;
        Ok(Program { expr, ty: info.ty, max_cost: info.cost.max, mismatch })
    }
}

// === impl Program ===

impl Program {
    /// The type of its value.
    #[must_use]
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// What it costs at worst, for values as large as they are declared to be.
    #[must_use]
    pub fn max_cost(&self) -> u64 {
        self.max_cost
    }

    /// Where it makes an object whose type is not that of the field it is put into.
    #[must_use]
    pub fn mismatch(&self) -> Option<&str> {
        self.mismatch.as_deref()
    }

    /// About how many bytes it takes.
    #[cfg(test)]
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.expr.count() * (size_of::<ast::Expr>() + 24)
    }

    /// Whether it reads a variable.
    #[must_use]
    pub fn uses(&self, variable: &str) -> bool {
        self.expr.uses(variable)
    }

    /// Evaluates it. What it costs is taken from the budget, of which it uses [`PER_CALL_LIMIT`] at most.
    ///
    /// # Errors
    /// That the budget or the limit is used up, or how the expression failed.
    pub fn eval<'p, 'a>(
        &'p self,
        variables: Vec<(&'p str, Value<'a>)>,
        budget: &mut u64,
    ) -> Result<Value<'a>, EvalError> {
        let limit = PER_CALL_LIMIT.min(*budget);
        let mut evaluation = eval::Evaluation::new(variables, limit);
        let result = evaluation.eval(&self.expr);
        *budget -= limit - evaluation.left();
        result
    }
}
