//! Which nodes a node selector picks: all at once, by the labels' columns.

use crate::snapshot::NodeSet;
use crate::{PodInfo, Snapshot};
use windlass_core::apis::core::v1::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};

/// The nodes that `spec.nodeSelector` and the required node affinity admit; none when the pod has neither.
pub(crate) fn required(snapshot: &Snapshot, pod: &PodInfo) -> Option<NodeSet> {
    let affinity = pod.node_affinity.as_ref();
    let affinity =
        affinity.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    if pod.node_selector.is_empty() && affinity.is_none() {
        return None;
    }
    let mut fits = affinity.map_or_else(|| snapshot.nodes().clone(), |a| selected(snapshot, a));
    for (key, value) in &pod.node_selector {
        fits.intersect(&with_values(snapshot, key, |v| v == value));
    }
    Some(fits)
}

/// The nodes that any of a selector's terms selects.
pub(crate) fn selected(snapshot: &Snapshot, selector: &NodeSelector) -> NodeSet {
    let mut any = NodeSet::default();
    selector.node_selector_terms.iter().for_each(|term| any.unite(&matching(snapshot, term)));
    any
}

/// The nodes that a term selects. An empty term selects none (API reference, "NodeSelectorTerm").
pub(crate) fn matching(snapshot: &Snapshot, term: &NodeSelectorTerm) -> NodeSet {
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

/// The nodes with a label whose value passes a test.
pub(crate) fn with_values(snapshot: &Snapshot, key: &str, test: impl Fn(&str) -> bool) -> NodeSet {
    let values = snapshot.label(key).filter(|(value, _)| test(value));
    values.flat_map(|(_, nodes)| nodes.iter().copied()).collect()
}

fn by_label(snapshot: &Snapshot, wanted: &NodeSelectorRequirement) -> NodeSet {
    let values = wanted.values.as_deref().unwrap_or_default();
    let listed = |value: &str| values.iter().any(|v| v == value);
    let set = |test: &dyn Fn(&str) -> bool| with_values(snapshot, &wanted.key, test);
    let without = |out: NodeSet| {
        let mut all = snapshot.nodes().clone();
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
