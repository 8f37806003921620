//! A node must have room; one with more room is better.

use crate::framework::{Cycle, Extensions, Feasible, Filter, MAX_SCORE, Plugin, Reach, Score};
use crate::queue::ClusterEvent;
use crate::snapshot::{CPU, MEMORY, NodeId, PODS, ResourceId, resource_name};
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use std::sync::Arc;

/// Refuses nodes without room for what the pod asks for; prefers those with the most left (strategy `LeastAllocated`).
pub struct NodeResourcesFit;

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { filter: Some(self.clone()), score: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Node
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        match event {
            ClusterEvent::PodDeleted(_) | ClusterEvent::PodUpdated { .. } => true,
            ClusterEvent::NodeAdded(node) | ClusterEvent::NodeUpdated { new: node, .. } => {
                let has =
                    |id| node.allocatable.iter().find(|(r, _)| *r == id).map_or(0, |(_, n)| *n);
                pod.requests.iter().all(|(resource, amount)| has(*resource) >= *amount)
            }
            _ => false,
        }
    }
}

impl Filter for NodeResourcesFit {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        // All sets first: a node that lacks two things is counted under both.
        let asked = cycle.pod.requests.iter().filter(|(_, amount)| *amount > 0);
        let short: Vec<_> = asked
            .map(|&(resource, amount)| {
                (resource, lacking(cycle.snapshot, feasible.nodes(), resource, amount))
            })
            .collect();
        for (resource, nodes) in short {
            let reason = match resource {
                PODS => "Too many pods".into(),
                _ => format!("Insufficient {}", resource_name(resource)),
            };
            feasible.refuse(nodes, reason);
        }
    }
}

impl Score for NodeResourcesFit {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        for resource in [CPU, MEMORY] {
            let column = Column::new(cycle, resource);
            for (score, node) in scores.iter_mut().zip(nodes) {
                *score += column.left(*node) / 2;
            }
        }
    }
}

fn lacking(snapshot: &Snapshot, nodes: &NodeSet, resource: ResourceId, amount: i64) -> NodeSet {
    let (has, used) = (snapshot.allocatable(resource), snapshot.requested(resource));
    let at = |column: &[i64], id: NodeId| column.get(id as usize).copied().unwrap_or(0);
    nodes.iter().filter(|id| at(has, *id) - at(used, *id) < amount).collect()
}

/// One resource of all nodes, with what the pod would add.
pub(super) struct Column<'a> {
    has: &'a [i64],
    used: &'a [i64],
    adds: i64,
}

impl<'a> Column<'a> {
    pub(super) fn new(cycle: &Cycle<'a>, resource: ResourceId) -> Self {
        let amounts = &cycle.pod.non_zero_requests;
        let adds = amounts.iter().find(|(r, _)| *r == resource).map_or(0, |(_, amount)| *amount);
        let (has, used) =
            (cycle.snapshot.allocatable(resource), cycle.snapshot.non_zero_requested(resource));
        Self { has, used, adds }
    }

    /// What a node has, and what would be in use on it.
    pub(super) fn at(&self, node: NodeId) -> (i64, i64) {
        let at = |column: &[i64]| column.get(node as usize).copied().unwrap_or(0);
        (at(self.has), at(self.used) + self.adds)
    }

    fn left(&self, node: NodeId) -> i64 {
        let (has, used) = self.at(node);
        if has <= 0 || used > has { 0 } else { (has - used) * MAX_SCORE / has }
    }
}
