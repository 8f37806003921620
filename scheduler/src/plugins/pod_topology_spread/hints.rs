//! What can help a pod that was refused for its spread.

use crate::PodInfo;
use crate::queue::ClusterEvent;

/// Whether an event may change how the pods lie that one of the pod's demands counts.
pub(super) fn may_help(event: &ClusterEvent, pod: &PodInfo) -> bool {
    let demands = || pod.spread.iter().filter(|constraint| constraint.hard);
    let counted = |other: &PodInfo| {
        let selects = |c: &crate::SpreadConstraint| {
            c.selector.as_ref().is_some_and(|selector| selector.matches(&other.labels))
        };
        other.namespace == pod.namespace && (pod.spread.is_empty() || demands().any(selects))
    };
    match event {
        // One more in the emptiest place raises what all may have; one less in the fullest makes room.
        ClusterEvent::PodAdded(other) | ClusterEvent::PodDeleted(other) => counted(other),
        ClusterEvent::PodUpdated { old, new } => {
            let moved = old.labels != new.labels || old.deleting != new.deleting;
            new.uid == pod.uid || (moved && (counted(old) || counted(new)))
        }
        // A place more, or less: fewer than the least that is wanted counts as an empty one.
        ClusterEvent::NodeAdded(_) | ClusterEvent::NodeDeleted(_) => true,
        ClusterEvent::NodeUpdated { old, new } => {
            old.labels != new.labels || old.taints != new.taints
        }
        _ => false,
    }
}
