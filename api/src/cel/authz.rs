//! `authorizer`: what a user may do, as expressions ask for it (Kubernetes' `authz` library).
//!
//! An evaluation does not wait. What is not known yet is asked for afterwards, and the evaluation done once more:
//! see [`Decide`].

use super::error::EvalError;
use super::value::{Text, Value};
use crate::validation::format::{dns1123_label, dns1123_subdomain};
use std::fmt;
use std::rc::Rc;

/// What a decision costs: two fit into one expression.
pub(super) const CHECK: u64 = 350_000;

/// Knows decisions. What it does not know it notes, so that it can be asked for; the outcome of an evaluation in
/// which something was not known means nothing.
pub trait Decide: fmt::Debug + Sync {
    /// The decision, if it is known.
    fn decide(&self, check: &Check) -> Option<Decision>;
}

/// What is asked: may the user, or another account, do this?
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Check {
    /// Namespace and name of a ServiceAccount; none for the user himself.
    pub account: Option<(String, String)>,
    /// What he would do.
    pub verb: String,
    /// With what.
    pub to: Subject,
}

/// With what something would be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A path that is no resource.
    Path(String),
    /// A resource; parts that are empty were not named.
    Resource {
        /// Its group.
        group: String,
        /// Its plural.
        resource: String,
        /// The subresource.
        subresource: String,
        /// The namespace.
        namespace: String,
        /// The name of one object.
        name: String,
        /// Of many objects those with these fields.
        fields: String,
        /// Of many objects those with these labels.
        labels: String,
    },
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// Why, or why not.
    pub reason: String,
    /// Why there is none.
    pub error: String,
}

/// A value on the way from `authorizer` to a decision.
#[derive(Clone, Debug)]
pub struct Authz<'a> {
    decisions: &'a dyn Decide,
    /// The resource of the request, behind `authorizer.requestResource`.
    request: Option<Rc<Check>>,
    check: Rc<Check>,
    stage: Stage,
}

#[derive(Clone, Debug)]
enum Stage {
    Authorizer,
    Path,
    Group,
    Resource,
    Decision(Rc<Decision>),
}

/// The type of `authorizer`.
pub(crate) const AUTHORIZER: &str = "kubernetes.authorization.Authorizer";
/// The type of `authorizer.requestResource`.
pub(super) const RESOURCE_CHECK: &str = "kubernetes.authorization.ResourceCheck";
/// The field of an authorizer.
pub(super) const REQUEST_RESOURCE: &str = "requestResource";

// === impl Subject ===

impl Default for Subject {
    fn default() -> Self {
        Self::Path(String::new())
    }
}

// === impl Authz ===

impl<'a> Authz<'a> {
    /// The variable `authorizer`, for a request about this resource.
    #[must_use]
    pub fn authorizer(decisions: &'a dyn Decide, request: Subject) -> Value<'a> {
        let request = Check { to: request, ..Check::default() };
        Value::Authz(Self {
            decisions,
            request: Some(Rc::new(request)),
            check: Rc::default(),
            stage: Stage::Authorizer,
        })
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self.stage {
            Stage::Authorizer => AUTHORIZER,
            Stage::Path => "kubernetes.authorization.PathCheck",
            Stage::Group => "kubernetes.authorization.GroupCheck",
            Stage::Resource => RESOURCE_CHECK,
            Stage::Decision(_) => "kubernetes.authorization.Decision",
        }
    }

    /// Its one field.
    pub(super) fn select(&self, field: &str) -> Option<Value<'a>> {
        let check = self.request.clone().filter(|_| field == REQUEST_RESOURCE)?;
        Some(Value::Authz(Self { check, stage: Stage::Resource, ..self.clone() }))
    }

    /// Calls one of its functions.
    pub(super) fn call(&self, function: &str, args: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
        let texts: Option<Vec<&str>> = args.iter().map(text_of).collect();
        let texts = texts.ok_or_else(EvalError::no_overload)?;
        if let Stage::Decision(decision) = &self.stage {
            return match (function, texts.as_slice()) {
                ("allowed", []) => Ok(Value::Bool(decision.allowed)),
                ("reason", []) => Ok(Value::text(decision.reason.as_str())),
                ("errored", []) => Ok(Value::Bool(!decision.error.is_empty())),
                ("error", []) => Ok(Value::text(decision.error.as_str())),
                _ => Err(EvalError::no_overload()),
            };
        }
        let mut check = (*self.check).clone();
        let stage = self.step(&mut check, function, &texts)?;
        Ok(Value::Authz(Self { check: Rc::new(check), stage, ..self.clone() }))
    }

    fn step(&self, check: &mut Check, function: &str, args: &[&str]) -> Result<Stage, EvalError> {
        match (&self.stage, function, args) {
            (Stage::Authorizer, "path", [path]) => {
                check.to = Subject::Path(filled("path", path)?);
                Ok(Stage::Path)
            }
            (Stage::Authorizer, "serviceAccount", [namespace, name]) => {
                valid(&dns1123_subdomain(name), "Invalid service account name")?;
                valid(&dns1123_label(namespace), "Invalid service account namespace")?;
                check.account = Some(((*namespace).to_owned(), (*name).to_owned()));
                Ok(Stage::Authorizer)
            }
            (Stage::Authorizer, "group", [name]) => {
                let [resource, subresource, namespace, none, fields, labels] = Default::default();
                let (group, name) = ((*name).to_owned(), none);
                check.to = Subject::Resource {
                    group,
                    resource,
                    subresource,
                    namespace,
                    name,
                    fields,
                    labels,
                };
                Ok(Stage::Group)
            }
            (Stage::Group, "resource", [name]) => {
                set(check, "resource", &filled("resource", name)?);
                Ok(Stage::Resource)
            }
            (
                Stage::Resource,
                "subresource" | "namespace" | "name" | "fieldSelector" | "labelSelector",
                [value],
            ) => {
                set(check, function, value);
                Ok(Stage::Resource)
            }
            (Stage::Path | Stage::Resource, "check", [verb]) => {
                (*verb).clone_into(&mut check.verb);
                let known = self.decisions.decide(check);
                let unknown = || EvalError::failed("the decision is not known yet");
                Ok(Stage::Decision(Rc::new(known.ok_or_else(unknown)?)))
            }
            _ => Err(EvalError::no_overload()),
        }
    }
}

fn set(check: &mut Check, part: &str, value: &str) {
    let Subject::Resource { resource, subresource, namespace, name, fields, labels, .. } =
        &mut check.to
    else {
        return;
    };
    let field = match part {
        "resource" => resource,
        "subresource" => subresource,
        "namespace" => namespace,
        "fieldSelector" => fields,
        "labelSelector" => labels,
        _ => name,
    };
    value.clone_into(field);
}

fn text_of<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::String(Text::Borrowed(text)) => Some(text),
        Value::String(Text::Shared(text)) => Some(text),
        _ => None,
    }
}

fn filled(what: &str, text: &str) -> Result<String, EvalError> {
    if text.trim().is_empty() {
        return Err(EvalError::failed(format!("{what} must not be empty")));
    }
    Ok(text.to_owned())
}

fn valid(problems: &[impl Sized], why: &str) -> Result<(), EvalError> {
    if problems.is_empty() { Ok(()) } else { Err(EvalError::failed(why)) }
}
