//! Taints keep pods away that do not tolerate them.

use crate::framework::{Cycle, Extensions, Feasible, Filter, Normalization, Plugin, Reach, Score};
use crate::queue::ClusterEvent;
use crate::snapshot::{NodeId, NodeSet};
use crate::{PodClass, PodInfo, Snapshot};
use std::sync::Arc;
use windlass_core::apis::core::v1::{Taint, Toleration};

/// Refuses nodes with taints `NoSchedule` and `NoExecute` that the pod does not tolerate; prefers
/// nodes with fewer of the kind `PreferNoSchedule`.
pub struct TaintToleration;

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { filter: Some(self.clone()), score: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Node
    }

    fn hears(&self, event: &ClusterEvent) -> bool {
        matches!(event, ClusterEvent::NodeAdded(_) | ClusterEvent::NodeUpdated { .. })
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        let (ClusterEvent::NodeAdded(node) | ClusterEvent::NodeUpdated { new: node, .. }) = event
        else {
            return false;
        };
        node.taints.iter().all(|taint| !forbids(taint) || tolerates(&pod.tolerations, taint))
    }
}

impl Filter for TaintToleration {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let mut tainted = untolerated(cycle.snapshot, cycle.pod);
        tainted.intersect(feasible.nodes());
        feasible.refuse_for_good(tainted, "node(s) had untolerated taint(s)");
    }
}

impl Score for TaintToleration {
    fn score(&self, cycle: &Cycle<'_>, nodes: &[NodeId], scores: &mut [i64]) {
        let preferring =
            cycle.snapshot.taints().filter(|(taint, _)| taint.effect == "PreferNoSchedule");
        for (_, tainted) in
            preferring.filter(|(taint, _)| !tolerates(&cycle.pod.tolerations, taint))
        {
            for (score, node) in scores.iter_mut().zip(nodes) {
                *score += i64::from(tainted.contains(*node));
            }
        }
    }

    fn normalization(&self) -> Normalization {
        Normalization::ByHighestReversed
    }
}

/// The nodes with a taint that keeps the pod away.
pub(crate) fn untolerated(snapshot: &Snapshot, pod: &PodInfo) -> NodeSet {
    let mut nodes = NodeSet::default();
    for (taint, tainted) in snapshot.taints() {
        if forbids(taint) && !tolerates(&pod.tolerations, taint) {
            nodes.unite(tainted);
        }
    }
    nodes
}

fn forbids(taint: &Taint) -> bool {
    matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
}

/// Whether one of the tolerations bears the taint (API reference, "Toleration").
pub(crate) fn tolerates(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|toleration| {
        let key = toleration.key.as_deref().unwrap_or_default();
        let effect = toleration.effect.as_deref().unwrap_or_default();
        let operator = toleration.operator.as_deref().unwrap_or_default();
        let exists = operator == "Exists";
        let same_value = toleration.value.as_deref().unwrap_or_default()
            == taint.value.as_deref().unwrap_or_default();
        (effect.is_empty() || effect == taint.effect)
            && (key == taint.key || (key.is_empty() && exists))
            && (exists || (matches!(operator, "" | "Equal") && same_value))
    })
}
