//! Cordoned nodes get no pods.

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, Reach};
use crate::plugins::taint_toleration::tolerates;
use crate::queue::ClusterEvent;
use crate::{PodClass, PodInfo, Snapshot};
use std::sync::Arc;
use windlass_core::apis::core::v1::Taint;

/// Only nodes that are not cordoned, unless the pod bears the taint that stands for it.
pub struct NodeUnschedulable;

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { filter: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Node
    }

    fn may_help(&self, event: &ClusterEvent, _: &PodInfo) -> bool {
        matches!(event, ClusterEvent::NodeAdded(node) | ClusterEvent::NodeUpdated { new: node, .. } if !node.unschedulable)
    }
}

impl Filter for NodeUnschedulable {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        if cycle.snapshot.unschedulable().is_empty() {
            return;
        }
        let taint = Taint {
            key: "node.kubernetes.io/unschedulable".into(),
            effect: "NoSchedule".into(),
            ..Taint::default()
        };
        if !tolerates(&cycle.pod.tolerations, &taint) {
            let mut cordoned = cycle.snapshot.unschedulable().clone();
            cordoned.intersect(feasible.nodes());
            feasible.refuse_for_good(cordoned, "node(s) were unschedulable");
        }
    }
}
