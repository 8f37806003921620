//! Which pods and claims a quota is about.

use super::{ClaimUsage, PodUsage};
use crate::apis::core::v1::{ResourceQuotaSpec, ScopedResourceSelectorRequirement};
use crate::meta::{LabelOperator, LabelRequirement};

/// The scopes of a quota. A pod or a claim must be in all of them; other objects are in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<LabelRequirement>);

/// What can be in a scope.
#[derive(Clone, Copy, Debug)]
pub enum Scoped<'a> {
    /// A pod.
    Pod(&'a PodUsage),
    /// A claim of storage: in a scope of VolumeAttributesClasses with any of its classes.
    Claim(&'a ClaimUsage),
}

// === impl Scopes ===

impl Scopes {
    /// Those of a quota, from both of its lists.
    #[must_use]
    pub fn of(spec: &ResourceQuotaSpec) -> Self {
        let exists = |key: &String| requirement(key, "Exists", None);
        let mut all: Vec<_> = spec.scopes.iter().flatten().map(exists).collect();
        let selector = spec.scope_selector.as_ref();
        let expressions = selector.and_then(|selector| selector.match_expressions.as_ref());
        all.extend(Self::from(expressions.map(Vec::as_slice).unwrap_or_default()).0);
        Self(all)
    }

    /// The quota is about all objects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a pod or a claim is in all of them.
    #[must_use]
    pub fn take<'a>(&self, it: impl Into<Scoped<'a>>) -> bool {
        let it = it.into();
        self.0.iter().all(|scope| it.is_in(scope))
    }

    /// Those of them that a pod or a claim is in.
    #[must_use]
    pub fn matching<'a>(&self, it: impl Into<Scoped<'a>>) -> Vec<LabelRequirement> {
        let it = it.into();
        self.0.iter().filter(|scope| it.is_in(scope)).cloned().collect()
    }
}

impl From<&[ScopedResourceSelectorRequirement]> for Scopes {
    fn from(list: &[ScopedResourceSelectorRequirement]) -> Self {
        let read = |one: &ScopedResourceSelectorRequirement| {
            requirement(&one.scope_name, &one.operator, one.values.as_ref())
        };
        Self(list.iter().map(read).collect())
    }
}

// === impl Scoped ===

impl Scoped<'_> {
    fn is_in(self, scope: &LabelRequirement) -> bool {
        match (scope.key.as_str(), self) {
            ("Terminating", Self::Pod(pod)) => pod.terminating,
            ("NotTerminating", Self::Pod(pod)) => !pod.terminating,
            ("BestEffort", Self::Pod(pod)) => pod.best_effort,
            ("NotBestEffort", Self::Pod(pod)) => !pod.best_effort,
            ("CrossNamespacePodAffinity", Self::Pod(pod)) => pod.crosses_namespaces,
            ("PriorityClass", Self::Pod(pod)) => scope.matches(pod.priority_class.as_deref()),
            ("VolumeAttributesClass", Self::Claim(claim)) if claim.classes.is_empty() => {
                scope.matches(None)
            }
            ("VolumeAttributesClass", Self::Claim(claim)) => {
                claim.classes.iter().any(|class| scope.matches(Some(class)))
            }
            _ => false,
        }
    }
}

impl<'a> From<&'a PodUsage> for Scoped<'a> {
    fn from(pod: &'a PodUsage) -> Self {
        Self::Pod(pod)
    }
}

impl<'a> From<&'a ClaimUsage> for Scoped<'a> {
    fn from(claim: &'a ClaimUsage) -> Self {
        Self::Claim(claim)
    }
}

fn requirement(scope: &str, operator: &str, values: Option<&Vec<String>>) -> LabelRequirement {
    let operator = match operator {
        "In" => LabelOperator::In,
        "NotIn" => LabelOperator::NotIn,
        "DoesNotExist" => LabelOperator::DoesNotExist,
        _ => LabelOperator::Exists,
    };
    LabelRequirement { key: scope.into(), operator, values: values.cloned().unwrap_or_default() }
}
