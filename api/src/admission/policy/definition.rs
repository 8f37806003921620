//! Policies and bindings, compiled.

use crate::admission::expression::{Compiler, Conditions, Expression, NamedExpression};
use crate::admission::index::Objects;
use crate::admission::rules::{MatchResources, Matcher};
use crate::cel::{Named, Type};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::apis::meta::v1::LabelSelector;
use windlass_core::meta::Reason;

/// A policy, validating or mutating.
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) matcher: Matcher,
    pub(super) conditions: Conditions,
    pub(super) params: Option<ParamKind>,
    pub(super) variables: Vec<Named>,
    /// Whether nobody gets past it when it fails.
    pub(super) fail: bool,
    pub(super) validations: Vec<Validation>,
    pub(super) annotations: Vec<(String, Expression)>,
    pub(super) mutations: Vec<Mutation>,
    /// Whether it wants to see what others change after it.
    pub(super) reinvoke: bool,
}

/// What must be true.
pub(super) struct Validation {
    pub(super) expression: Expression,
    pub(super) message: String,
    pub(super) message_expression: Option<Expression>,
    pub(super) reason: Reason,
}

/// What is changed.
pub(super) struct Mutation {
    pub(super) expression: Expression,
    pub(super) kind: MutationKind,
}

/// How it is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MutationKind {
    /// By an object that is laid over it.
    Apply,
    /// By a JSON patch.
    JsonPatch,
}

/// Where a policy holds.
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) policy: String,
    pub(super) params: Option<ParamRef>,
    pub(super) matcher: Option<Matcher>,
    pub(super) actions: Vec<Action>,
}

/// A policy and where it holds.
pub(super) struct Bound {
    pub(super) policy: Arc<Policy>,
    pub(super) bindings: Vec<Arc<Binding>>,
}

/// What is done about a validation that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
pub(super) enum Action {
    Deny,
    Warn,
    Audit,
}

/// The kind of parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ParamKind {
    pub(super) api_version: String,
    pub(super) kind: String,
}

/// Which parameters.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ParamRef {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) selector: Option<LabelSelector>,
    pub(super) parameter_not_found_action: Option<String>,
}

#[derive(Deserialize)]
struct Described<S> {
    spec: S,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolicySpec {
    match_constraints: MatchResources,
    match_conditions: Vec<NamedExpression>,
    param_kind: Option<ParamKind>,
    variables: Vec<NamedExpression>,
    failure_policy: Option<String>,
    validations: Vec<ValidationSpec>,
    audit_annotations: Vec<AnnotationSpec>,
    mutations: Vec<MutationSpec>,
    reinvocation_policy: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ValidationSpec {
    expression: String,
    message: String,
    message_expression: String,
    reason: Option<Reason>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AnnotationSpec {
    key: String,
    value_expression: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MutationSpec {
    apply_configuration: Option<NamedExpression>,
    json_patch: Option<NamedExpression>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BindingSpec {
    policy_name: String,
    param_ref: Option<ParamRef>,
    match_resources: Option<MatchResources>,
    validation_actions: Vec<Action>,
}

/// What was compiled so far: a policy that did not change is not compiled again.
#[derive(Default)]
pub(super) struct Policies {
    policies: BTreeMap<String, (u64, Arc<Policy>)>,
    bindings: BTreeMap<String, (u64, Arc<Binding>)>,
}

// === impl Policies ===

impl Policies {
    /// The policies that are bound, with their bindings, both in the order of their names.
    pub(super) fn make(&mut self, policies: &Objects, bindings: &Objects) -> Vec<Bound> {
        refresh(&mut self.policies, policies, Policy::new, Policy::refusing);
        refresh(&mut self.bindings, bindings, Binding::new, Binding::everywhere);
        let mut bound: BTreeMap<&str, Vec<Arc<Binding>>> = BTreeMap::new();
        for (_, binding) in self.bindings.values() {
            bound.entry(&binding.policy).or_default().push(binding.clone());
        }
        let bound = bound.into_iter().filter_map(|(name, bindings)| {
            let (_, policy) = self.policies.get(name)?;
            Some(Bound { policy: policy.clone(), bindings })
        });
        bound.collect()
    }
}

/// What can't be read stays as it was before; with nothing before, it is what `unread` makes of it.
fn refresh<S: DeserializeOwned + Send + Sync + 'static, T>(
    known: &mut BTreeMap<String, (u64, Arc<T>)>,
    all: &Objects,
    make: impl Fn(&str, S) -> T,
    unread: impl Fn(&Object, &windlass_core::Error) -> Option<T>,
) {
    known.retain(|name, _| all.contains_key(name));
    for (name, object) in all {
        let version = object.resource_version();
        if known.get(name).is_some_and(|(seen, _)| *seen == version) {
            continue;
        }
        let made = match spec(object) {
            Ok(spec) => Some(Arc::new(make(name, spec))),
            Err(error) => {
                tracing::error!(name, %error, "an admission policy or its binding can't be read");
                let before = known.remove(name).map(|(_, before)| before);
                before.or_else(|| unread(object, &error).map(Arc::new))
            }
        };
        if let Some(made) = made {
            known.insert(name.clone(), (version, made));
        }
    }
}

fn spec<S: DeserializeOwned + Send + Sync + 'static>(object: &Object) -> windlass_core::Result<S> {
    object.view::<Described<S>>().map(|described| described.spec)
}

// === impl Policy ===

impl Policy {
    /// In the place of one that can't be read: about everything, and nobody gets past it.
    #[allow(clippy::unnecessary_wraps, reason = "of bindings there may be none")]
    fn refusing(object: &Object, error: &windlass_core::Error) -> Option<Self> {
        let match_constraints = MatchResources::everything();
        let all =
            Self::new(object.name(), PolicySpec { match_constraints, ..PolicySpec::default() });
        let conditions = Conditions::undecidable(format!("the policy can't be read: {error}"));
        Some(Self { conditions, ..all })
    }

    fn new(name: &str, spec: PolicySpec) -> Self {
        let params = spec.param_kind.is_some();
        let fail = spec.failure_policy.as_deref() != Some("Ignore");
        let mut compiler = Compiler::new(params);
        let variables = spec.variables.iter().map(|one| {
            let program = compiler.variable(&one.name, &one.expression);
            (Box::from(one.name.as_str()), program)
        });
        let variables = variables.collect();
        let annotation = |one: AnnotationSpec| {
            let text = one.value_expression.trim();
            let wanted = [Type::String, Type::Null];
            (one.key, Expression::new(text, compiler.compile(text, true, &wanted)))
        };
        Self {
            name: name.to_owned(),
            matcher: Matcher::from(&spec.match_constraints),
            conditions: Conditions::compile(&spec.match_conditions, params, fail),
            params: spec.param_kind,
            fail,
            validations: spec
                .validations
                .into_iter()
                .map(|v| Validation::new(v, &compiler))
                .collect(),
            annotations: spec.audit_annotations.into_iter().map(annotation).collect(),
            mutations: spec.mutations.iter().filter_map(|m| Mutation::new(m, &compiler)).collect(),
            reinvoke: spec.reinvocation_policy.as_deref() == Some("IfNeeded"),
            variables,
        }
    }
}

// === impl Validation ===

impl Validation {
    fn new(given: ValidationSpec, compiler: &Compiler) -> Self {
        let program = compiler.compile(&given.expression, true, &[Type::Bool]);
        let message = Some(given.message_expression).filter(|text| !text.trim().is_empty());
        let message_expression = message.map(|text| {
            let program = compiler.compile(&text, false, &[Type::String]);
            Expression::new(&text, program)
        });
        let said = match given.message.trim() {
            "" => format!("failed expression: {}", given.expression.trim()),
            message => message.to_owned(),
        };
        Self {
            expression: Expression::new(&given.expression, program),
            message: said,
            message_expression,
            reason: given.reason.unwrap_or(Reason::Invalid),
        }
    }
}

// === impl Mutation ===

impl Mutation {
    fn new(given: &MutationSpec, compiler: &Compiler) -> Option<Self> {
        let (text, kind) = match (&given.json_patch, &given.apply_configuration) {
            (Some(patch), _) => (&patch.expression, MutationKind::JsonPatch),
            (None, Some(apply)) => (&apply.expression, MutationKind::Apply),
            (None, None) => return None,
        };
        let program = compiler.compile_mutation(text, kind.ty());
        Some(Self { expression: Expression::new(text, program), kind })
    }
}

impl MutationKind {
    /// The type that its expression must have.
    pub(crate) fn ty(self) -> Type {
        match self {
            Self::Apply => Type::Message("Object".into()),
            Self::JsonPatch => Type::List(Arc::new(Type::Message("JSONPatch".into()))),
        }
    }
}

// === impl Binding ===

impl Binding {
    fn new(name: &str, spec: BindingSpec) -> Self {
        Self {
            name: name.to_owned(),
            policy: spec.policy_name,
            params: spec.param_ref,
            matcher: spec.match_resources.as_ref().map(Matcher::narrowing),
            actions: spec.validation_actions,
        }
    }

    /// In the place of one that can't be read: its policy holds everywhere, if it says at least which one.
    fn everywhere(object: &Object, _: &windlass_core::Error) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Named {
            policy_name: String,
        }
        let Named { policy_name } = spec(object).ok()?;
        let validation_actions = vec![Action::Deny];
        let all = BindingSpec { policy_name, validation_actions, ..BindingSpec::default() };
        Some(Self::new(object.name(), all))
    }
}

#[cfg(test)]
mod tests;
