//! Compiles the expressions of one webhook or policy.

use super::scope::{environment, variables_type};
use crate::cel::{Program, Type};

/// What expressions of one webhook or policy may name; learns its variables.
pub(crate) struct Compiler {
    object: Type,
    params: Option<Type>,
    variables: Vec<(String, Type)>,
}

// === impl Compiler ===

impl Compiler {
    /// For objects of which nothing is known; `params`: there may be parameters.
    pub(crate) fn new(params: bool) -> Self {
        Self::typed(Type::Dyn, params.then_some(Type::Dyn))
    }

    /// For objects, and parameters if there are some, of these types.
    pub(crate) fn typed(object: Type, params: Option<Type>) -> Self {
        Self { object, params, variables: Vec::new() }
    }

    /// Compiles a variable, which those after it and all other expressions may name.
    ///
    /// # Errors
    /// What is wrong with it. It can be named nevertheless.
    pub(crate) fn variable(&mut self, name: &str, text: &str) -> Result<Program, String> {
        let program = self.compile(text, true, &[]);
        let ty = program.as_ref().map_or(Type::Dyn, |program| program.ty().clone());
        self.variables.push((name.to_owned(), ty));
        program
    }

    /// Compiles an expression that must have one of these types, or any if none are given; `authorizer`: it may ask.
    ///
    /// # Errors
    /// What is wrong with it, in the words of Kubernetes.
    pub(crate) fn compile(
        &self,
        text: &str,
        authorizer: bool,
        wanted: &[Type],
    ) -> Result<Program, String> {
        self.build(text, authorizer, false, wanted)
    }

    /// The same for one that makes objects or patches.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn compile_mutation(&self, text: &str, wanted: Type) -> Result<Program, String> {
        self.build(text, true, true, &[wanted])
    }

    fn build(
        &self,
        text: &str,
        authorizer: bool,
        patches: bool,
        wanted: &[Type],
    ) -> Result<Program, String> {
        let variables = variables_type(&self.variables);
        let known = Some(&variables).filter(|_| !self.variables.is_empty());
        let mut environment = environment(&self.object, self.params.as_ref(), authorizer, known);
        if patches {
            environment = environment.with_patches();
        }
        let program =
            environment.compile(text).map_err(|error| format!("compilation failed: {error}"))?;
        let found = program.ty();
        let fits = |wanted: &Type| wanted == found || is_empty_list(wanted, found);
        if wanted.is_empty() || wanted.iter().any(fits) {
            return Ok(program);
        }
        Err(match wanted {
            [one] => format!("must evaluate to {} but got {}", named(one), named(found)),
            several => {
                let names: Vec<_> = several.iter().map(named).collect();
                format!("must evaluate to one of [{}] but got {}", names.join(" "), named(found))
            }
        })
    }
}

/// A type by its whole name.
fn named(ty: &Type) -> String {
    match ty {
        Type::Null => "null_type".to_owned(),
        Type::Timestamp => "google.protobuf.Timestamp".to_owned(),
        Type::Duration => "google.protobuf.Duration".to_owned(),
        other => other.to_string(),
    }
}

/// The type of what is in an empty list is not known.
fn is_empty_list(wanted: &Type, found: &Type) -> bool {
    matches!((wanted, found), (Type::List(_), Type::List(of)) if **of == Type::Dyn)
}
