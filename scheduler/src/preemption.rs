//! `DefaultPreemption`: a pod of higher priority takes the room of others (API concept "Pod Priority and Preemption").
//!
//! Which pods must go is tried out on the snapshot, as upstream does, but on many nodes at once: all lower pods leave all
//! candidate nodes, the filters say where the pod fits then, and round by round each node takes its next most important
//! pod back, unless the pod then fits no more. Where a plugin looks beyond single nodes, nodes are tried one by one.

mod budgets;
mod choose;
mod dry_run;

use crate::framework::{Extensions, Failed, Plugin, PostFilter, Reach, Room, histogram};
use crate::snapshot::NodeId;
use crate::{ClusterEvent, PodClass, PodInfo, Snapshot};
pub(crate) use budgets::Budgets;
pub(crate) use choose::choose;
pub(crate) use dry_run::Candidate;
use dry_run::DryRun;
use serde::Deserialize;
use std::sync::Arc;

/// Makes room for pods by taking it from pods of lower priority.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct DefaultPreemption {
    /// So many percent of the nodes are looked at for candidates (`minCandidateNodesPercentage`).
    pub min_candidate_nodes_percentage: usize,
    /// But at least so many nodes (`minCandidateNodesAbsolute`).
    pub min_candidate_nodes_absolute: usize,
}

impl Default for DefaultPreemption {
    fn default() -> Self {
        Self { min_candidate_nodes_percentage: 10, min_candidate_nodes_absolute: 100 }
    }
}

impl Plugin for DefaultPreemption {
    fn name(&self) -> &'static str {
        "DefaultPreemption"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        let columns: fn() -> Box<dyn crate::framework::Columns> = || Box::<Budgets>::default();
        Extensions { post_filter: Some(self), columns: vec![columns], ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Nothing
    }

    fn hears(&self, _: &ClusterEvent) -> bool {
        false
    }

    fn may_help(&self, _: &ClusterEvent, _: &PodInfo) -> bool {
        false
    }
}

impl PostFilter for DefaultPreemption {
    fn post_filter(&self, failed: &mut Failed<'_>) -> Room {
        if let Some(waits) = must_not(failed) {
            return waits;
        }
        let resolvable = failed.feasible.resolvable();
        let mut with_victims: Vec<NodeId> = Vec::new();
        if failed.snapshot.lowest_priority().is_some_and(|lowest| lowest < failed.pod.priority) {
            let lower = |id: &NodeId| {
                let pods = failed.snapshot.pods_on(*id);
                pods.iter().any(|other| other.priority < failed.pod.priority)
            };
            with_victims = resolvable.iter().filter(lower).collect();
        }
        let total = failed.snapshot.nodes().len();
        let wanted = self.candidates_wanted(total);
        let count = with_victims.len();
        if count > 0 {
            with_victims.rotate_left((failed.random.next() % count as u64) as usize);
        }
        let (candidates, mut reasons) = DryRun::new(failed).run(&with_victims, wanted);
        let rooms = if failed.all_rooms { candidates.clone() } else { Vec::new() };
        if let Some(best) = choose(candidates) {
            let (node, victims) = (Some(best.node), best.victims);
            return Room { node, victims, rooms, ..Room::default() };
        }
        reasons.push((
            "No preemption victims found for incoming pod".into(),
            resolvable.len() - count,
        ));
        reasons.push(("Preemption is not helpful for scheduling".into(), total - resolvable.len()));
        let said = reasons.iter().filter(|(_, count)| *count > 0);
        let said = histogram(said.map(|(reason, count)| (&**reason, *count)));
        Room {
            message: format!("preemption: 0/{total} nodes are available: {said}."),
            ..Room::default()
        }
    }
}

impl DefaultPreemption {
    /// When so many candidates are found, no further nodes are looked at.
    fn candidates_wanted(&self, nodes: usize) -> usize {
        let share = nodes * self.min_candidate_nodes_percentage / 100;
        share.max(self.min_candidate_nodes_absolute).max(1)
    }
}

/// What there is to say when a pod must not take room from others, or has done so and must wait for it.
fn must_not(failed: &Failed<'_>) -> Option<Room> {
    let because = |reason: &str, node: Option<NodeId>| {
        let message = format!("preemption: not eligible due to {reason}.");
        Some(Room { node, message, ..Room::default() })
    };
    if failed.pod.never_preempts {
        return because("preemptionPolicy=Never", None);
    }
    let promised = failed.nominated.node(&failed.pod.uid);
    let node = failed.snapshot.id(promised.unwrap_or(&failed.pod.nominated_node_name))?;
    // Were the node itself the reason, waiting for the pods there would be in vain.
    let waits = failed.feasible.resolvable().contains(node)
        && leaving(failed.pod, failed.snapshot, node).next().is_some();
    waits.then(|| because("a terminating pod on the nominated node", Some(node))).flatten()
}

/// The pods on a node that go to make room for such a pod. One that ends for another reason may take its time, or leave
/// too little.
pub(crate) fn leaving<'s>(
    pod: &PodInfo,
    snapshot: &'s Snapshot,
    node: NodeId,
) -> impl Iterator<Item = &'s Arc<PodInfo>> + use<'s> {
    let below = pod.priority;
    let leaves =
        move |other: &&Arc<PodInfo>| other.deleting && other.preempted && other.priority < below;
    snapshot.pods_on(node).iter().filter(leaves)
}

#[cfg(test)]
mod tests;
