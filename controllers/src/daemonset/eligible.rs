//! Which nodes a template's pods may use.

use crate::support::taints::tolerates;
use crate::views::{NodeView, Toleration};
use std::sync::Arc;
use windlass_core::apis::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, PodSpec};
use windlass_core::cache::Entry;
use windlass_core::meta::{LabelOperator, LabelRequirement};

pub(super) type Node = Arc<Entry<NodeView>>;

/// Keys of taints that pods of a DaemonSet tolerate: key, effect.
pub(super) const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
/// And on the host's network this one too.
pub(super) const NETWORK: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");

/// Whether a node shall have a pod, and whether one that is there may stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) run: bool,
    pub(super) stay: bool,
}

pub(super) fn verdict(spec: &PodSpec, node: &Node) -> Verdict {
    if !fits(spec, node) {
        return Verdict { run: false, stay: false };
    }
    let own: Vec<Toleration> = spec.tolerations.iter().flatten().map(Toleration::from).collect();
    let added = TOLERATED.iter().chain(spec.host_network.unwrap_or(false).then_some(&NETWORK));
    let added = added.map(|(key, effect)| Toleration {
        key: (*key).into(),
        operator: "Exists".into(),
        effect: (*effect).into(),
        ..Toleration::default()
    });
    let all: Vec<Toleration> = own.into_iter().chain(added).collect();
    let bears = |effect: &str| {
        let mut taints = node.view.spec.taints.iter().filter(|taint| taint.effect == effect);
        taints.all(|taint| all.iter().any(|toleration| tolerates(toleration, taint)))
    };
    Verdict { run: bears("NoSchedule") && bears("NoExecute"), stay: bears("NoExecute") }
}

fn fits(spec: &PodSpec, node: &Node) -> bool {
    let header = node.object.header();
    let name = spec.node_name.as_deref().unwrap_or_default();
    let mut selector = spec.node_selector.iter().flatten();
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity
        .and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    (name.is_empty() || *name == *header.name)
        && selector.all(|(key, value)| header.label(key) == Some(value))
        && required.is_none_or(|required| {
            required.node_selector_terms.iter().any(|term| takes(term, node))
        })
}

fn takes(term: &NodeSelectorTerm, node: &Node) -> bool {
    let header = node.object.header();
    let mut expressions = term.match_expressions.iter().flatten();
    let mut fields = term.match_fields.iter().flatten();
    let empty = term.match_expressions.iter().flatten().count()
        + term.match_fields.iter().flatten().count()
        == 0;
    !empty
        && expressions.all(|wanted| meets(wanted, header.label(&wanted.key)))
        && fields.all(|wanted| wanted.key == "metadata.name" && meets(wanted, Some(&header.name)))
}

fn meets(wanted: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let operator = match wanted.operator.as_str() {
        "In" => LabelOperator::In,
        "NotIn" => LabelOperator::NotIn,
        "Exists" => LabelOperator::Exists,
        "DoesNotExist" => LabelOperator::DoesNotExist,
        "Gt" => LabelOperator::Gt,
        "Lt" => LabelOperator::Lt,
        _ => return false,
    };
    let values = wanted.values.clone().unwrap_or_default();
    LabelRequirement { key: wanted.key.clone(), operator, values }.matches(value)
}
