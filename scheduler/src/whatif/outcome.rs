//! What came of it.

use crate::PodInfo;
use crate::framework::{Placement, Unschedulable};
use std::sync::Arc;
use windlass_core::meta::Str;

/// Where pods would go, and which would not.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Those that got a node, in the order they did.
    pub placed: Vec<Placement>,
    /// Those that got none, with why.
    pub unschedulable: Vec<(Arc<PodInfo>, Unschedulable)>,
    /// Those that had to go. They are also among the others, as what became of them then.
    pub preempted: Vec<Preempted>,
}

/// A pod that had to go for another one.
#[derive(Clone, Debug)]
pub struct Preempted {
    /// The pod.
    pub pod: Arc<PodInfo>,
    /// Where it was.
    pub from: Str,
    /// For whom.
    pub by: Arc<PodInfo>,
}

impl Outcome {
    /// Whether every pod got a node, and none had to go.
    #[must_use]
    pub fn is_smooth(&self) -> bool {
        self.unschedulable.is_empty() && self.preempted.is_empty()
    }

    /// The node that a pod got.
    #[must_use]
    pub fn node_of(&self, uid: &str) -> Option<&Str> {
        let mut placed = self.placed.iter().filter(|placed| *placed.pod.uid == *uid);
        placed.next_back().map(|placed| &placed.node)
    }
}
