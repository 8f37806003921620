//! Pods that are promised a node, until what is in their way has gone (KEP-5278's nominator).

use crate::snapshot::NodeId;
use crate::{PodInfo, Snapshot};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use windlass_core::meta::Str;

/// Who is promised which node.
#[derive(Clone, Default)]
pub struct Nominated {
    pods: FxHashMap<Box<str>, (Str, Arc<PodInfo>)>,
}

/// A promise that another pod has to heed.
pub(crate) type Promise = (NodeId, Arc<PodInfo>);

impl Nominated {
    /// Promises a node to a pod, in the place of what it was promised before.
    pub fn set(&mut self, pod: &Arc<PodInfo>, node: Str) {
        self.pods.insert(pod.uid.clone(), (node, pod.clone()));
    }

    /// Takes a pod's promise back. Returns whether it had one.
    pub fn remove(&mut self, uid: &str) -> bool {
        self.pods.remove(uid).is_some()
    }

    /// The node a pod is promised.
    #[must_use]
    pub fn node(&self, uid: &str) -> Option<&Str> {
        self.pods.get(uid).map(|(node, _)| node)
    }

    /// The pods of lower priority that are promised a node: a greater one takes it.
    pub fn below(&self, node: &str, priority: i32) -> impl Iterator<Item = &Arc<PodInfo>> {
        let on = self.pods.values().filter(move |(name, _)| **name == *node);
        on.map(|(_, pod)| pod).filter(move |pod| pod.priority < priority)
    }

    /// What a pod has to heed: promises to others that are no lower than it.
    pub(crate) fn heeded_by(&self, pod: &PodInfo, snapshot: &Snapshot) -> Vec<Promise> {
        let others = self.pods.values().filter(|(_, other)| {
            other.uid != pod.uid && other.priority >= pod.priority && !snapshot.has_pod(&other.uid)
        });
        others.filter_map(|(node, other)| Some((snapshot.id(node)?, other.clone()))).collect()
    }
}
