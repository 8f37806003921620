//! A pod that names its node goes there.

use crate::framework::{Cycle, Extensions, Feasible, Filter, Plugin, Reach};
use crate::queue::ClusterEvent;
use crate::{PodClass, PodInfo, Snapshot};
use std::sync::Arc;

/// Only the node that `spec.nodeName` names.
pub struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { filter: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Nothing
    }

    fn may_help(&self, event: &ClusterEvent, _: &PodInfo) -> bool {
        matches!(event, ClusterEvent::NodeAdded(_))
    }
}

impl Filter for NodeName {
    fn filter(&self, cycle: &Cycle<'_>, feasible: &mut Feasible) {
        let wanted = &cycle.pod.node_name;
        if !wanted.is_empty() {
            let node = cycle.snapshot.id(wanted).into_iter().collect();
            feasible.keep_for_good(&node, "node(s) didn't match the requested node name");
        }
    }
}
