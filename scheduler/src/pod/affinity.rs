//! Affinity and anti-affinity between pods, read once for each pod.

use std::hash::{Hash, Hasher};
use windlass_core::apis::core::v1::{
    PodAffinity, PodAffinityTerm, PodAntiAffinity, WeightedPodAffinityTerm,
};
use windlass_core::meta::{LabelOperator, LabelRequirement, LabelSelector, Str, intern};
use windlass_core::object::Labels;

/// What a pod says of the company it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PodTerms {
    /// `podAffinity.requiredDuringSchedulingIgnoredDuringExecution`.
    pub required: Box<[PodTerm]>,
    /// `podAffinity.preferredDuringSchedulingIgnoredDuringExecution`, each with its weight.
    pub preferred: Box<[(i32, PodTerm)]>,
    /// `podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution`.
    pub anti_required: Box<[PodTerm]>,
    /// `podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution`, each with its weight.
    pub anti_preferred: Box<[(i32, PodTerm)]>,
}

/// Some pods, and what counts as being together with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTerm {
    /// Pods of these namespaces.
    pub namespaces: Box<[Str]>,
    /// And of the namespaces with such labels.
    pub namespace_selector: Option<LabelSelector>,
    /// Pods with such labels; none: no pod at all.
    pub selector: Option<LabelSelector>,
    /// Nodes with the same value of this label are one place.
    pub topology_key: Str,
}

// === impl PodTerms ===

impl PodTerms {
    /// The terms of a pod; none when it has none. A term that can't be read selects no pod.
    pub(super) fn new(
        with: Option<PodAffinity>,
        apart: Option<PodAntiAffinity>,
        namespace: &Str,
        labels: &Labels,
    ) -> Option<Box<Self>> {
        let (with, apart) = (with.unwrap_or_default(), apart.unwrap_or_default());
        let term = |term: PodAffinityTerm| PodTerm::new(term, namespace, labels);
        let weighted = |w: WeightedPodAffinityTerm| (w.weight, term(w.pod_affinity_term));
        let all = |terms: Option<Vec<_>>| terms.into_iter().flatten().map(term).collect();
        let wishes = |terms: Option<Vec<_>>| terms.into_iter().flatten().map(weighted).collect();
        let terms = Self {
            required: all(with.required_during_scheduling_ignored_during_execution),
            preferred: wishes(with.preferred_during_scheduling_ignored_during_execution),
            anti_required: all(apart.required_during_scheduling_ignored_during_execution),
            anti_preferred: wishes(apart.preferred_during_scheduling_ignored_during_execution),
        };
        (terms != Self::default()).then(|| Box::new(terms))
    }
}

// === impl PodTerm ===

impl PodTerm {
    fn new(api: PodAffinityTerm, namespace: &Str, labels: &Labels) -> Self {
        let names = api.namespaces.unwrap_or_default();
        let own = names.is_empty() && api.namespace_selector.is_none();
        let namespaces = match own {
            true => [namespace.clone()].into(),
            false => names.iter().map(|name| intern(name)).collect(),
        };
        let read = |selector| LabelSelector::from_api(&selector).ok();
        let mut selector = api.label_selector.and_then(read);
        if let Some(selector) = &mut selector {
            let same = api.match_label_keys.unwrap_or_default();
            narrow(selector, &same, LabelOperator::In, labels);
            let other = api.mismatch_label_keys.unwrap_or_default();
            narrow(selector, &other, LabelOperator::NotIn, labels);
        }
        let namespace_selector = api.namespace_selector.and_then(read);
        Self { namespaces, namespace_selector, selector, topology_key: intern(&api.topology_key) }
    }

    /// Whether a pod with these labels is one of those meant, when its namespace has those.
    #[must_use]
    pub fn matches(&self, namespace: &str, labels: &Labels, of_namespace: &Labels) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.matches(labels))
            && self.in_namespace(namespace, of_namespace)
    }

    /// Whether pods of this namespace are meant.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str, labels: &Labels) -> bool {
        self.namespaces.iter().any(|name| **name == *namespace)
            || self.namespace_selector.as_ref().is_some_and(|selector| selector.matches(labels))
    }
}

/// The pod's own values of these labels become requirements (KEP-3633, KEP-3243).
pub(super) fn narrow(
    selector: &mut LabelSelector,
    keys: &[String],
    operator: LabelOperator,
    labels: &Labels,
) {
    for key in keys {
        let value = labels.iter().find(|(name, _)| **name == **key).map(|(_, value)| value);
        let Some(value) = value else { continue };
        let wanted =
            LabelRequirement { key: key.clone(), operator, values: vec![value.to_string()] };
        if !selector.requirements.contains(&wanted) {
            selector.requirements.push(wanted);
        }
    }
}

impl Hash for PodTerm {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.namespaces, &self.topology_key).hash(state);
        for selector in [&self.namespace_selector, &self.selector] {
            let Some(selector) = selector else {
                state.write_u8(0);
                continue;
            };
            selector.requirements.len().hash(state);
            for requirement in &selector.requirements {
                (&requirement.key, requirement.operator as u8, &requirement.values).hash(state);
            }
        }
    }
}
