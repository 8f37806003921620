//! What the scheduler knows, kept up to date by events.

use crate::framework::{Placement, Profile};
use crate::queue::{ClusterEvent, Queue, QueuedPod};
use crate::snapshot::NodeId;
use crate::{NodeInfo, PodInfo, Snapshot};
use std::sync::Arc;
use tokio::time::Instant;
use windlass_core::Object;
use windlass_core::cache::{Change, HeaderOnly};

pub(super) struct State {
    pub(super) snapshot: Snapshot,
    pub(super) queue: Queue,
    profile: Arc<Profile>,
}

impl State {
    pub(super) fn new(profile: Arc<Profile>) -> Self {
        Self { snapshot: Snapshot::default(), queue: Queue::new(profile.clone()), profile }
    }

    pub(super) fn node_changed(&mut self, change: &Change<HeaderOnly>, now: Instant) {
        if let Change::Deleted(entry) = change {
            return self.snapshot.remove_node(entry.object.name());
        }
        let Some(node) = read(change.object(), NodeInfo::new).map(Arc::new) else { return };
        self.snapshot.set_node(&node);
        let event = match change {
            Change::Added(_) => ClusterEvent::NodeAdded(node),
            _ => ClusterEvent::NodeUpdated(node),
        };
        self.queue.wake(&event, now);
    }

    pub(super) fn pod_changed(&mut self, change: &Change<HeaderOnly>, now: Instant) {
        let object = change.object();
        if let Change::Deleted(_) = change {
            return self.pod_gone(&object.header().uid, now);
        }
        let Some(pod) = read(object, PodInfo::new).map(Arc::new) else { return };
        if pod.terminal {
            self.pod_gone(&pod.uid, now);
        } else if !pod.node_name.is_empty() {
            self.queue.remove(&pod.uid);
            self.snapshot.set_pod(pod);
        } else {
            self.pending(pod, object, now);
        }
    }

    /// Takes the node for the pod before it is bound, so that the next pod sees it.
    pub(super) fn assume(&mut self, pod: &Arc<PodInfo>, id: NodeId) -> Placement {
        let node = self.snapshot.name(id).clone();
        let assumed = PodInfo { node_name: node.clone(), ..(**pod).clone() };
        self.snapshot.set_pod(Arc::new(assumed));
        Placement { pod: pod.clone(), node }
    }

    /// The pod could not be bound after all.
    pub(super) fn forget(&mut self, queued: QueuedPod, now: Instant) {
        self.snapshot.remove_pod(&queued.pod.uid);
        self.queue.retry(queued, now);
        self.queue.wake(&ClusterEvent::PodDeleted, now);
    }

    fn pending(&mut self, pod: Arc<PodInfo>, object: &Object, now: Instant) {
        let mine = &*pod.scheduler_name == self.profile.name() || pod.scheduler_name.is_empty();
        // One that was just placed shows up once more before it shows up bound.
        let assumed = self.snapshot.has_pod(&pod.uid);
        if object.header().deleting {
            self.queue.remove(&pod.uid);
        } else if mine && !assumed && self.queue.changes(&pod) {
            self.queue.add(pod, now);
        }
    }

    fn pod_gone(&mut self, uid: &str, now: Instant) {
        self.queue.remove(uid);
        if self.snapshot.has_pod(uid) {
            self.snapshot.remove_pod(uid);
            self.queue.wake(&ClusterEvent::PodDeleted, now);
        }
    }
}

fn read<T>(object: &Object, view: impl Fn(&Object) -> windlass_core::Result<T>) -> Option<T> {
    view(object)
        .inspect_err(
            |error| tracing::error!(name = object.header().full_name(), %error, "left out"),
        )
        .ok()
}
