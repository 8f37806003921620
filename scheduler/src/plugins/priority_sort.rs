//! The order of the queue.

use crate::framework::{Extensions, Plugin, QueueSort, Reach};
use crate::queue::QueuedPod;
use crate::{PodClass, Snapshot};
use std::cmp::Ordering;
use std::sync::Arc;

/// Higher priority first, then who came first, or was tried longest ago.
pub struct PrioritySort;

impl Plugin for PrioritySort {
    fn name(&self) -> &'static str {
        "PrioritySort"
    }

    fn extensions(self: Arc<Self>) -> Extensions {
        Extensions { queue_sort: Some(self), ..Extensions::default() }
    }

    fn reach(&self, _: &PodClass, _: &Snapshot) -> Reach {
        Reach::Nothing
    }
}

impl QueueSort for PrioritySort {
    fn compare(&self, a: &QueuedPod, b: &QueuedPod) -> Ordering {
        b.pod.priority.cmp(&a.pod.priority).then(a.sequence.cmp(&b.sequence))
    }
}
