//! Gates keep a pod from being scheduled until someone opens them (KEP-3521).

use crate::framework::{Extensions, Plugin, PreEnqueue, Reach, Reason};
use crate::queue::ClusterEvent;
use crate::{PodClass, PodInfo, Snapshot};
use std::sync::Arc;

/// Keeps pods with `spec.schedulingGates` out of the queue.
pub struct SchedulingGates;

impl Plugin for SchedulingGates {
    fn name(&self) -> &'static str {
        "SchedulingGates"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { pre_enqueue: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Nothing
    }

    fn hears(&self, event: &ClusterEvent) -> bool {
        matches!(event, ClusterEvent::PodUpdated { .. })
    }

    fn may_help(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        matches!(event, ClusterEvent::PodUpdated { new, .. } if new.uid == pod.uid)
    }
}

impl PreEnqueue for SchedulingGates {
    fn pre_enqueue(&self, pod: &PodInfo) -> Result<(), Reason> {
        match pod.scheduling_gates.as_slice() {
            [] => Ok(()),
            gates => Err(format!("waiting for scheduling gates: {gates:?}").into()),
        }
    }
}
