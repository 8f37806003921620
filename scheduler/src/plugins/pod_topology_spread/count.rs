//! How many pods are in each place.

use crate::plugins::company::{Company, PodGroup};
use crate::plugins::node_affinity::select;
use crate::plugins::taint_toleration::untolerated;
use crate::snapshot::{DomainId, NodeId, NodeSet, Topology};
use crate::{PodClass, PodInfo, Snapshot, SpreadConstraint};
use std::borrow::Cow;

/// Nodes that count.
pub(super) struct Eligible {
    /// Those with the labels of all constraints, where all are needed.
    complete: NodeSet,
    /// All nodes are.
    all_complete: bool,
    /// Those that the pod's node affinity admits; none: all.
    admitted: Option<NodeSet>,
    /// Those whose taints keep the pod away.
    tainted: NodeSet,
}

/// The pods that a constraint counts, by place; nothing for places where none is eligible.
pub(super) struct Domains {
    pods: Vec<i64>,
    present: usize,
}

/// A place that no eligible node is in.
const ABSENT: i64 = -1;

// === impl Eligible ===

impl Eligible {
    pub(super) fn new(
        snapshot: &Snapshot,
        pod: &PodInfo,
        constraints: &[Cow<'_, SpreadConstraint>],
        all_labels: bool,
    ) -> Self {
        let (mut complete, mut all_complete) = (snapshot.nodes().clone(), true);
        for constraint in constraints.iter().filter(|_| all_labels) {
            let topology = snapshot.topology(&constraint.topology_key);
            let labelled = topology.map_or(0, |t| t.sizes().iter().sum::<u32>() as usize);
            if labelled == snapshot.nodes().len() {
                continue;
            }
            all_complete = false;
            let lacks = |node: &NodeId| topology.is_none_or(|t| t.of(*node) == Topology::NONE);
            let out: NodeSet = complete.iter().filter(lacks).collect();
            complete.subtract(&out);
        }
        let affinity = constraints.iter().any(|c| c.honor_affinity);
        let admitted = if affinity { select::required(snapshot, pod) } else { None };
        let taints = constraints.iter().any(|c| c.honor_taints);
        let tainted = if taints { untolerated(snapshot, pod) } else { NodeSet::default() };
        Self { complete, all_complete, admitted, tainted }
    }

    /// The nodes that count for a constraint.
    pub(super) fn of(&self, constraint: &SpreadConstraint) -> Cow<'_, NodeSet> {
        let affinity = self.admitted.as_ref().filter(|_| constraint.honor_affinity);
        let taints = constraint.honor_taints && !self.tainted.is_empty();
        if affinity.is_none() && !taints {
            return Cow::Borrowed(&self.complete);
        }
        let mut nodes = self.complete.clone();
        if let Some(admitted) = affinity {
            nodes.intersect(admitted);
        }
        if taints {
            nodes.subtract(&self.tainted);
        }
        Cow::Owned(nodes)
    }
}

// === impl Domains ===

impl Domains {
    pub(super) fn count(
        company: &Company,
        pod: &PodClass,
        constraint: &SpreadConstraint,
        topology: Option<&Topology>,
        eligible: &Eligible,
    ) -> Self {
        let Some(topology) = topology else { return Self { pods: Vec::new(), present: 0 } };
        let nodes = eligible.of(constraint);
        let mut counted = match (&nodes, eligible.all_complete) {
            (Cow::Borrowed(_), true) => Self::all(topology),
            _ => Self::of(topology, &nodes),
        };
        for group in groups(company, pod, constraint) {
            for (node, count) in group.nodes.iter().filter(|(node, _)| nodes.contains(**node)) {
                if let Some(pods) = counted.pods.get_mut(topology.of(*node) as usize) {
                    *pods += i64::from(*count);
                }
            }
        }
        counted
    }

    /// All places that have nodes, without pods.
    fn all(topology: &Topology) -> Self {
        let empty = |nodes: &u32| if *nodes > 0 { 0 } else { ABSENT };
        let pods = topology.sizes().iter().map(empty).collect();
        Self { pods, present: topology.domains() }
    }

    /// The places that some nodes are in, without pods.
    fn of(topology: &Topology, nodes: &NodeSet) -> Self {
        let mut places = Self { pods: vec![ABSENT; topology.len()], present: 0 };
        for node in nodes.iter() {
            if let Some(pods) = places.pods.get_mut(topology.of(node) as usize)
                && *pods == ABSENT
            {
                *pods = 0;
                places.present += 1;
            }
        }
        places
    }

    /// The pods of a place.
    pub(super) fn pods(&self, domain: DomainId) -> i64 {
        self.pods.get(domain as usize).map_or(0, |pods| (*pods).max(0))
    }

    /// What the emptiest place has; nothing when there are fewer places than there must be.
    pub(super) fn least(&self, constraint: &SpreadConstraint) -> i64 {
        if (self.present as i64) < i64::from(constraint.min_domains) {
            return 0;
        }
        self.pods.iter().filter(|pods| **pods != ABSENT).min().copied().unwrap_or(0)
    }

    /// Whether the pod is one of those counted.
    pub(super) fn counts_itself(&self, pod: &PodClass, constraint: &SpreadConstraint) -> bool {
        constraint.selector.as_ref().is_some_and(|selector| selector.matches(&pod.labels))
    }
}

/// The pods that a constraint counts. Those on their way out do not.
pub(super) fn groups<'a>(
    company: &'a Company,
    pod: &PodClass,
    constraint: &'a SpreadConstraint,
) -> impl Iterator<Item = &'a PodGroup> {
    let selector = constraint.selector.as_ref().into_iter();
    let groups = selector.flat_map(|s| company.groups.matching(&pod.namespace, s));
    groups.filter(|group| !group.deleting)
}
