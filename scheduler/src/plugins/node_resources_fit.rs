//! A node must have room; how much room it should have is a matter of taste.

mod strategy;

pub use strategy::{
    RequestedToCapacityRatio, ScoringStrategy, ScoringStrategyType, UtilizationShapePoint,
};

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, Reach, Score};
use crate::plugins::resources::{Column, Weighted, weighted};
use crate::queue::ClusterEvent;
use crate::snapshot::{NodeId, PODS, ResourceId, Resources, resource_name};
use crate::{NodeSet, PodClass, PodInfo, Snapshot};
use serde::Deserialize;
use std::sync::Arc;
use strategy::Rule;

/// Refuses nodes without room for what the pod asks for, and rates those that have it.
pub struct NodeResourcesFit {
    ignored: Vec<String>,
    ignored_groups: Vec<String>,
    rule: Rule,
    resources: Vec<Weighted>,
}

/// The plugin's arguments, as in a `KubeSchedulerConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeResourcesFitArgs {
    /// Extended resources that need not be there.
    pub ignored_resources: Vec<String>,
    /// The same for all of a group: what stands before the slash.
    pub ignored_resource_groups: Vec<String>,
    /// How nodes with room are rated.
    pub scoring_strategy: ScoringStrategy,
}

// === impl NodeResourcesFit ===

impl NodeResourcesFit {
    /// With these arguments.
    #[must_use]
    pub fn new(args: NodeResourcesFitArgs) -> Self {
        Self {
            ignored: args.ignored_resources,
            ignored_groups: args.ignored_resource_groups,
            rule: Rule::new(&args.scoring_strategy),
            resources: weighted(args.scoring_strategy.resources),
        }
    }

    fn ignores(&self, resource: ResourceId) -> bool {
        if self.ignored.is_empty() && self.ignored_groups.is_empty() {
            return false;
        }
        let name = resource_name(resource);
        let Some((group, _)) = name.split_once('/') else { return false };
        self.ignored.iter().any(|ignored| **ignored == *name)
            || self.ignored_groups.iter().any(|ignored| ignored == group)
    }

    /// What must be there.
    fn asked<'a>(&self, pod: &'a PodInfo) -> impl Iterator<Item = &'a (ResourceId, i64)> {
        pod.requests.iter().filter(|(resource, amount)| *amount > 0 && !self.ignores(*resource))
    }
}

impl Default for NodeResourcesFit {
    fn default() -> Self {
        Self::new(NodeResourcesFitArgs::default())
    }
}

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

    fn hears(&self, event: &ClusterEvent) -> bool {
        match event {
            ClusterEvent::NodeAdded(_)
            | ClusterEvent::NodeUpdated { .. }
            | ClusterEvent::PodDeleted(_) => true,
            ClusterEvent::PodUpdated { old, new } => {
                old.requests.iter().any(|(resource, amount)| requested(new, *resource) < *amount)
            }
            _ => false,
        }
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        match event {
            ClusterEvent::NodeAdded(node) | ClusterEvent::NodeUpdated { new: node, .. } => {
                let has = |resource: ResourceId| amount_of(&node.allocatable, resource);
                self.asked(pod).all(|(resource, amount)| has(*resource) >= *amount)
            }
            ClusterEvent::PodUpdated { old, new } => {
                let mut asked = self.asked(pod);
                asked.any(|(resource, _)| requested(new, *resource) < requested(old, *resource))
            }
            _ => matches!(event, ClusterEvent::PodDeleted(_)),
        }
    }
}

impl Filter for NodeResourcesFit {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        // All sets first: a node that lacks two things is counted under both.
        let short: Vec<_> = self
            .asked(cycle.pod)
            .map(|&(resource, amount)| {
                (resource, amount, lacking(cycle.snapshot, feasible.nodes(), resource, amount))
            })
            .collect();
        for (resource, amount, nodes) in short {
            let reason = match resource {
                PODS => "Too many pods".into(),
                _ => format!("Insufficient {}", resource_name(resource)),
            };
            let has = cycle.snapshot.allocatable(resource);
            let ever = |id: &NodeId| has.get(*id as usize).is_some_and(|has| *has >= amount);
            let (later, never): (Vec<_>, Vec<_>) = nodes.iter().partition(ever);
            feasible.refuse_for_good(never.into_iter().collect(), reason.clone());
            feasible.refuse(later.into_iter().collect(), reason);
        }
    }
}

impl Score for NodeResourcesFit {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        let columns = self.resources.iter().map(|resource| Column::new(cycle, *resource, true));
        let columns: Vec<_> = columns.collect();
        self.rule.score(&columns, nodes, scores);
    }
}

fn amount_of(amounts: &Resources, resource: ResourceId) -> i64 {
    amounts.iter().find(|(id, _)| *id == resource).map_or(0, |(_, amount)| *amount)
}

fn requested(pod: &PodInfo, resource: ResourceId) -> i64 {
    amount_of(&pod.requests, resource)
}

fn lacking(snapshot: &Snapshot, nodes: &NodeSet, resource: ResourceId, amount: i64) -> NodeSet {
    let (has, used) = (snapshot.allocatable(resource), snapshot.requested(resource));
    if has.is_empty() {
        return nodes.clone();
    }
    // Both columns are there, or none is, and they are of one length.
    let count = has.len().min(used.len());
    let (has, used) = (&has[..count], &used[..count]);
    nodes.filtered(count, |id| has[id] - used[id] < amount)
}
