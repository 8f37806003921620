//! Node selectors and node affinity: which labels a pod's node must, or should, have.

use crate::framework::{
    Cycle, Extensions, Feasible, Filter, Normalization, Plugin, PreScore, Reach, Score,
};
use crate::queue::ClusterEvent;
use crate::snapshot::{NodeId, NodeSet};
use crate::{PodClass, PodInfo, Snapshot};
use std::sync::Arc;
use windlass_core::apis::core::v1::{
    NodeAffinity as Affinity, NodeSelectorRequirement, NodeSelectorTerm,
};

/// Refuses nodes that `spec.nodeSelector` or the required node affinity leaves out; prefers those that the preferred one names.
pub struct NodeAffinity;

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions {
            filter: Some(self.clone()),
            pre_score: Some(self.clone()),
            score: Some(self),
            ..Extensions::default()
        }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Node
    }

    fn may_help(&self, event: &ClusterEvent, _: &PodInfo) -> bool {
        matches!(event, ClusterEvent::NodeAdded(_) | ClusterEvent::NodeUpdated { .. })
    }
}

impl Filter for NodeAffinity {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let (pod, snapshot) = (cycle.pod, cycle.snapshot);
        let required = affinity(pod)
            .and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
        if pod.node_selector.is_empty() && required.is_none() {
            return;
        }
        let mut fits = snapshot.nodes().clone();
        for (key, value) in &pod.node_selector {
            fits.intersect(&with_values(snapshot, key, |v| v == value));
        }
        if let Some(selector) = required {
            let mut any = NodeSet::default();
            selector.node_selector_terms.iter().for_each(|t| any.unite(&matching(snapshot, t)));
            fits.intersect(&any);
        }
        feasible.keep_for_good(&fits, "node(s) didn't match Pod's node affinity/selector");
    }
}

impl PreScore for NodeAffinity {
    fn pre_score(&self, cycle: &mut Cycle<'_>, _: &[NodeId]) -> bool {
        affinity(cycle.pod)
            .and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref())
            .is_some_and(|terms| !terms.is_empty())
    }
}

impl Score for NodeAffinity {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        let preferred = affinity(cycle.pod)
            .and_then(|a| a.preferred_during_scheduling_ignored_during_execution.as_ref());
        for term in preferred.into_iter().flatten() {
            let fits = matching(cycle.snapshot, &term.preference);
            for (score, node) in scores.iter_mut().zip(nodes) {
                *score += i64::from(term.weight) * i64::from(fits.contains(*node));
            }
        }
    }

    fn normalization(&self) -> Normalization {
        Normalization::ByHighest
    }
}

fn affinity(pod: &PodInfo) -> Option<&Affinity> {
    pod.affinity.as_ref()?.node_affinity.as_ref()
}

/// The nodes that a term selects. An empty term selects none (API reference, "NodeSelectorTerm").
fn matching(snapshot: &Snapshot, term: &NodeSelectorTerm) -> NodeSet {
    let expressions = term.match_expressions.iter().flatten();
    let fields = term.match_fields.iter().flatten();
    let mut sets = expressions
        .map(|expression| by_label(snapshot, expression))
        .chain(fields.map(|field| by_field(snapshot, field)));
    let Some(mut fits) = sets.next() else { return NodeSet::default() };
    for set in sets {
        fits.intersect(&set);
    }
    fits
}

fn by_label(snapshot: &Snapshot, wanted: &NodeSelectorRequirement) -> NodeSet {
    let values = wanted.values.as_deref().unwrap_or_default();
    let listed = |value: &str| values.iter().any(|v| v == value);
    let set = |test: &dyn Fn(&str) -> bool| with_values(snapshot, &wanted.key, test);
    let without = |mut out: NodeSet| {
        let mut all = snapshot.nodes().clone();
        out.intersect(&all);
        all.subtract(&out);
        all
    };
    let number = values.first().and_then(|value| value.parse::<i64>().ok());
    let compare = |holds: &dyn Fn(i64, i64) -> bool| {
        set(&|value| matches!((value.parse(), number), (Ok(a), Some(b)) if holds(a, b)))
    };
    match wanted.operator.as_str() {
        "In" => set(&listed),
        "NotIn" => without(set(&listed)),
        "Exists" => set(&|_| true),
        "DoesNotExist" => without(set(&|_| true)),
        "Gt" => compare(&|a, b| a > b),
        "Lt" => compare(&|a, b| a < b),
        _ => NodeSet::default(),
    }
}

/// `metadata.name` is the only field there is.
fn by_field(snapshot: &Snapshot, wanted: &NodeSelectorRequirement) -> NodeSet {
    let names = wanted.values.iter().flatten();
    let named: NodeSet = names.filter_map(|name| snapshot.id(name)).collect();
    match (wanted.key.as_str(), wanted.operator.as_str()) {
        ("metadata.name", "In") => named,
        ("metadata.name", "NotIn") => {
            let mut others = snapshot.nodes().clone();
            others.subtract(&named);
            others
        }
        _ => NodeSet::default(),
    }
}

fn with_values(snapshot: &Snapshot, key: &str, test: impl Fn(&str) -> bool) -> NodeSet {
    let values = snapshot.label(key).filter(|(value, _)| test(value));
    values.flat_map(|(_, nodes)| nodes.iter().copied()).collect()
}
