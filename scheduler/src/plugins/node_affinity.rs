//! Node selectors and node affinity: which labels a pod's node must, or should, have.

pub(crate) mod select;

use crate::framework::{
    Cycle, Extensions, Feasible, Filter, Normalization, Plugin, PreScore, Reach, Score,
};
use crate::queue::ClusterEvent;
use crate::snapshot::NodeId;
use crate::{PodClass, PodInfo, Snapshot};
use serde::Deserialize;
use std::sync::Arc;
use windlass_core::apis::core::v1::{NodeAffinity as Affinity, PreferredSchedulingTerm};

/// Refuses nodes that `spec.nodeSelector` or the required node affinity leaves out; prefers those that the preferred one names.
#[derive(Default)]
pub struct NodeAffinity {
    added: Affinity,
}

/// The plugin's arguments, as in a `KubeSchedulerConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeAffinityArgs {
    /// What all pods of the profile demand and like beside what they say themselves.
    pub added_affinity: Option<Affinity>,
}

// === impl NodeAffinity ===

impl NodeAffinity {
    /// With these arguments.
    #[must_use]
    pub fn new(args: NodeAffinityArgs) -> Self {
        Self { added: args.added_affinity.unwrap_or_default() }
    }

    fn preferred<'a>(
        &'a self,
        pod: &'a PodInfo,
    ) -> impl Iterator<Item = &'a PreferredSchedulingTerm> {
        let of = |affinity: &'a Affinity| {
            affinity.preferred_during_scheduling_ignored_during_execution.iter().flatten()
        };
        of(&self.added).chain(pod.node_affinity.as_deref().into_iter().flat_map(of))
    }
}

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

    fn reach(&self, pod: &PodClass, _: &Snapshot) -> Reach {
        let quiet = pod.node_selector.is_empty()
            && pod.node_affinity.is_none()
            && self.added == Affinity::default();
        if quiet { Reach::Nothing } else { Reach::Node }
    }

    fn may_help(&self, event: &ClusterEvent, _: &PodInfo) -> bool {
        matches!(event, ClusterEvent::NodeAdded(_) | ClusterEvent::NodeUpdated { .. })
    }
}

impl Filter for NodeAffinity {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        if let Some(added) = &self.added.required_during_scheduling_ignored_during_execution {
            let fits = select::selected(cycle.snapshot, added);
            feasible.keep_for_good(&fits, "node(s) didn't match scheduler-enforced node affinity");
        }
        if let Some(fits) = select::required(cycle.snapshot, cycle.pod) {
            feasible.keep_for_good(&fits, "node(s) didn't match Pod's node affinity/selector");
        }
    }
}

impl PreScore for NodeAffinity {
    fn pre_score(&self, cycle: &mut Cycle<'_>, _: &[NodeId]) -> bool {
        self.preferred(cycle.pod).next().is_some()
    }
}

impl Score for NodeAffinity {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        for term in self.preferred(cycle.pod) {
            let fits = select::matching(cycle.snapshot, &term.preference);
            for (score, node) in scores.iter_mut().zip(nodes) {
                *score += i64::from(term.weight) * i64::from(fits.contains(*node));
            }
        }
    }

    fn normalization(&self) -> Normalization {
        Normalization::ByHighest
    }
}
