//! What expressions make of claims (`apiserver.config.k8s.io/v1`, "AuthenticationConfiguration").

use super::claims::{ClaimMappings, texts_of};
use crate::authentication::{AUTHENTICATED, User};
use crate::cel::{Environment, Program, RUNTIME_BUDGET, Type, Variable};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Expressions over the `claims` of a token, and over the `user` that comes of them. One that is there counts instead of
/// the mapping of the same thing.
#[derive(Debug, Default)]
pub struct ClaimRules {
    username: Option<Program>,
    groups: Option<Program>,
    uid: Option<Program>,
    extra: Vec<(String, Program)>,
    claims: Vec<Rule>,
    users: Vec<Rule>,
}

/// What must be true of a token or a user, and what is said when it is not.
#[derive(Debug)]
struct Rule {
    program: Program,
    variable: &'static str,
    text: String,
    message: String,
}

/// What an expression makes of the claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The name.
    Username,
    /// The groups: a text or a list of texts.
    Groups,
    /// The id.
    Uid,
}

// === impl ClaimRules ===

impl ClaimRules {
    /// Maps claims to a part of the user by an expression.
    ///
    /// # Errors
    /// When it does not compile, or can't have the type of that part.
    pub fn map(&mut self, part: Part, text: &str) -> Result<(), String> {
        let (place, list) = match part {
            Part::Username => (&mut self.username, false),
            Part::Groups => (&mut self.groups, true),
            Part::Uid => (&mut self.uid, false),
        };
        *place = Some(mapping(text, list)?);
        Ok(())
    }

    /// Adds something else that is known of the user: texts under a key.
    ///
    /// # Errors
    /// When the expression does not compile, or gives no texts.
    pub fn extra(&mut self, key: &str, text: &str) -> Result<(), String> {
        self.extra.push((key.to_owned(), mapping(text, true)?));
        Ok(())
    }

    /// Demands something of the claims.
    ///
    /// # Errors
    /// When the expression does not compile, or is no condition.
    pub fn demand_of_claims(&mut self, text: &str, message: &str) -> Result<(), String> {
        self.claims.push(Rule::new("claims", text, message)?);
        Ok(())
    }

    /// Demands something of the user.
    ///
    /// # Errors
    /// When the expression does not compile, or is no condition.
    pub fn demand_of_users(&mut self, text: &str, message: &str) -> Result<(), String> {
        self.users.push(Rule::new("user", text, message)?);
        Ok(())
    }

    /// The user that these claims name.
    pub(in crate::authentication) fn user(
        &self,
        mappings: &ClaimMappings,
        claims: &Map<String, Value>,
    ) -> Result<User, String> {
        let claims_value = Value::Object(claims.clone());
        self.claims.iter().try_for_each(|rule| rule.check(&claims_value))?;
        let evaluated = |program: &Program| evaluate(program, "claims", &claims_value);
        let mut user = User {
            name: match &self.username {
                Some(program) => text(evaluated(program)?, "username")?,
                None => mappings.username(claims)?,
            },
            groups: match &self.groups {
                Some(program) => texts_of(Some(&evaluated(program)?), "groups")?,
                None => mappings.groups(claims)?,
            },
            uid: match &self.uid {
                Some(program) => text(evaluated(program)?, "uid")?,
                None => mappings.uid(claims)?,
            },
            ..User::default()
        };
        user.groups.retain(|group| !group.is_empty());
        for (key, program) in &self.extra {
            let mut values = texts_of(Some(&evaluated(program)?), key)?;
            values.retain(|value| !value.is_empty());
            if !values.is_empty() {
                user.extra.insert(key.clone(), values);
            }
        }
        let shown = json!({"username": user.name, "uid": user.uid, "groups": user.groups,
            "extra": user.extra});
        self.users.iter().try_for_each(|rule| rule.check(&shown))?;
        user.groups.push(AUTHENTICATED.into());
        Ok(user)
    }
}

// === impl Rule ===

impl Rule {
    fn new(variable: &'static str, text: &str, message: &str) -> Result<Self, String> {
        let program = compile(variable, text)?;
        match program.ty() {
            Type::Bool | Type::Dyn => {
                let (text, message) = (text.to_owned(), message.to_owned());
                Ok(Self { program, variable, text, message })
            }
            other => Err(format!("must evaluate to bool but got {other}")),
        }
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        match evaluate(&self.program, self.variable, value)? {
            Value::Bool(true) => Ok(()),
            _ if self.message.is_empty() => {
                Err(format!("oidc: the expression {:?} is not true", self.text))
            }
            _ => Err(format!("oidc: {}", self.message)),
        }
    }
}

fn mapping(text: &str, list: bool) -> Result<Program, String> {
    let program = compile("claims", text)?;
    match program.ty() {
        Type::String | Type::Dyn => Ok(program),
        Type::List(of) if list && matches!(**of, Type::String | Type::Dyn) => Ok(program),
        Type::Null if list => Ok(program),
        other if list => {
            Err(format!("must evaluate to a string or a list of strings but got {other}"))
        }
        other => Err(format!("must evaluate to a string but got {other}")),
    }
}

fn compile(variable: &'static str, text: &str) -> Result<Program, String> {
    let ty = match variable {
        "claims" => Type::Map(Arc::new(Type::String), Arc::new(Type::Dyn)),
        _ => Type::Dyn,
    };
    let environment = Environment::new([Variable { name: variable, ty, declared: None }]);
    environment.compile(text).map_err(|error| format!("compilation failed: {error}"))
}

fn evaluate(program: &Program, variable: &'static str, value: &Value) -> Result<Value, String> {
    let mut budget = RUNTIME_BUDGET;
    let input = crate::cel::Value::from_json(value, None);
    let outcome = program.eval(vec![(variable, input)], &mut budget);
    let outcome = outcome.map_err(|error| format!("oidc: {error}"))?;
    outcome.to_json().map_err(|error| format!("oidc: {error}"))
}

fn text(value: Value, what: &str) -> Result<String, String> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(format!("oidc: the expression of {what} gives no text, or an empty one")),
    }
}
