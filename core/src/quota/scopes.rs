//! Which pods a quota is about.

use super::PodUsage;
use crate::apis::core::v1::{ResourceQuotaSpec, ScopedResourceSelectorRequirement};
use crate::meta::{LabelOperator, LabelRequirement};

/// The scopes of a quota. A pod must be in all of them; other objects are in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<LabelRequirement>);

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

    /// Whether a pod is in all of them.
    #[must_use]
    pub fn take(&self, pod: &PodUsage) -> bool {
        self.0.iter().all(|scope| is_in(pod, scope))
    }

    /// Those of them that a pod is in.
    #[must_use]
    pub fn matching(&self, pod: &PodUsage) -> Vec<LabelRequirement> {
        self.0.iter().filter(|scope| is_in(pod, scope)).cloned().collect()
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

fn is_in(pod: &PodUsage, scope: &LabelRequirement) -> bool {
    match scope.key.as_str() {
        "Terminating" => pod.terminating,
        "NotTerminating" => !pod.terminating,
        "BestEffort" => pod.best_effort,
        "NotBestEffort" => !pod.best_effort,
        "CrossNamespacePodAffinity" => pod.crosses_namespaces,
        "PriorityClass" => scope.matches(pod.priority_class.as_deref()),
        _ => false,
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
