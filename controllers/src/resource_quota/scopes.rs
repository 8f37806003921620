//! Which pods a quota is about.

use super::usage::PodUsage;
use windlass_core::apis::core::v1::ResourceQuotaSpec;
use windlass_core::meta::{LabelOperator, LabelRequirement};

/// The scopes of a quota. A pod must be in all of them; other objects are in none.
pub(super) struct Scopes(Vec<LabelRequirement>);

// === impl Scopes ===

impl Scopes {
    pub(super) fn of(spec: &ResourceQuotaSpec) -> Self {
        let exists = |key: &String| requirement(key, "Exists", None);
        let mut all: Vec<_> = spec.scopes.iter().flatten().map(exists).collect();
        let selector = spec.scope_selector.as_ref();
        let expressions = selector.and_then(|selector| selector.match_expressions.as_ref());
        all.extend(
            expressions
                .into_iter()
                .flatten()
                .map(|one| requirement(&one.scope_name, &one.operator, one.values.as_ref())),
        );
        Self(all)
    }

    /// The quota is about all objects.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a pod is in all of them.
    pub(super) fn take(&self, pod: &PodUsage) -> bool {
        self.0.iter().all(|scope| match scope.key.as_str() {
            "Terminating" => pod.terminating,
            "NotTerminating" => !pod.terminating,
            "BestEffort" => pod.best_effort,
            "NotBestEffort" => !pod.best_effort,
            "CrossNamespacePodAffinity" => pod.crosses_namespaces,
            "PriorityClass" => scope.matches(pod.priority_class.as_deref()),
            _ => false,
        })
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
