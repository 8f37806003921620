//! What happens in a cluster, as far as pods may wait for it.

use crate::{NodeInfo, PodInfo};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::scheme::GroupVersionResource;

/// Something that may make a pod schedulable.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// A node came.
    NodeAdded(Arc<NodeInfo>),
    /// A node changed.
    #[allow(missing_docs, reason = "they say it")]
    NodeUpdated { old: Arc<NodeInfo>, new: Arc<NodeInfo> },
    /// A node went.
    NodeDeleted(Arc<NodeInfo>),
    /// A pod is on a node.
    PodAdded(Arc<PodInfo>),
    /// A pod on a node changed, or the pod itself that waits.
    #[allow(missing_docs, reason = "they say it")]
    PodUpdated { old: Arc<PodInfo>, new: Arc<PodInfo> },
    /// A pod left its node.
    PodDeleted(Arc<PodInfo>),
    /// An object of another resource, which a plugin's columns watch, came or changed.
    ObjectSet(GroupVersionResource, Arc<Object>),
    /// It went.
    ObjectDeleted(GroupVersionResource, Arc<Object>),
}

impl ClusterEvent {
    /// Whether it says no more than that a pod goes to make room for another one.
    pub(crate) fn makes_room(&self) -> bool {
        match self {
            Self::PodDeleted(pod) => pod.preempted,
            Self::PodUpdated { new, .. } => new.preempted && new.deleting,
            _ => false,
        }
    }
}
