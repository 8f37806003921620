//! What the scheduler knows, kept up to date by events. No waiting, no I/O.

use crate::framework::{Cycle, Placement, Profile, Unschedulable};
use crate::queue::{ClusterEvent, Queue, QueuedPod};
use crate::snapshot::NodeId;
use crate::{NodeInfo, PodInfo, Snapshot};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tokio::time::Instant;
use windlass_core::clock::Random;
use windlass_core::meta::Str;

pub(super) struct State {
    pub(super) snapshot: Snapshot,
    pub(super) queue: Queue,
    profile: Arc<Profile>,
    nodes: FxHashMap<Str, Arc<NodeInfo>>,
    /// Pods that were given a node and are not known to be bound yet, as they are now.
    assumed: FxHashMap<Box<str>, Arc<PodInfo>>,
}

/// What became of a pod's turn.
pub(super) enum Turn {
    Placed(QueuedPod, Placement),
    Refused(QueuedPod, Unschedulable),
}

impl State {
    pub(super) fn new(profile: Arc<Profile>) -> Self {
        Self {
            snapshot: Snapshot::default(),
            queue: Queue::new(profile.clone()),
            profile,
            nodes: FxHashMap::default(),
            assumed: FxHashMap::default(),
        }
    }

    /// Takes a node in. One that only said that it lives is none of the scheduler's business.
    pub(super) fn node_seen(&mut self, node: NodeInfo, now: Instant) {
        let node = Arc::new(node);
        let known = self.nodes.insert(node.name.clone(), node.clone());
        if known.as_ref() == Some(&node) {
            return;
        }
        self.snapshot.set_node(node.clone());
        let event = match known {
            None => ClusterEvent::NodeAdded(node),
            Some(old) => ClusterEvent::NodeUpdated { old, new: node },
        };
        self.queue.wake(&event, now);
    }

    pub(super) fn node_gone(&mut self, name: &str, now: Instant) {
        self.snapshot.remove_node(name);
        if let Some(node) = self.nodes.remove(name) {
            self.queue.wake(&ClusterEvent::NodeDeleted(node), now);
        }
    }

    pub(super) fn pod_seen(&mut self, pod: PodInfo, deleting: bool, now: Instant) {
        if pod.terminal {
            self.pod_gone(&pod.uid, now);
        } else if !pod.node_name.is_empty() {
            self.bound(Arc::new(pod), now);
        } else if deleting {
            self.queue.remove(&pod.uid);
        } else {
            self.pending(Arc::new(pod), now);
        }
    }

    pub(super) fn pod_gone(&mut self, uid: &str, now: Instant) {
        self.queue.remove(uid);
        self.assumed.remove(uid);
        if let Some(pod) = self.snapshot.pod(uid).cloned() {
            self.snapshot.remove_pod(uid);
            self.queue.wake(&ClusterEvent::PodDeleted(pod), now);
        }
    }

    /// Gives the next pod its turn. In one go: nothing can happen to the pod in between.
    pub(super) fn turn(&mut self, random: &dyn Random, now: Instant) -> Option<Turn> {
        self.queue.advance(now);
        let queued = self.queue.pop()?;
        let cycle = Cycle::new(&queued.pod, &self.snapshot);
        Some(match cycle.place(&self.profile, random) {
            Ok(id) => {
                let placement = self.assume(&queued.pod, id);
                Turn::Placed(queued, placement)
            }
            Err(why) => {
                self.queue.park(queued.clone(), &why, now);
                Turn::Refused(queued, why)
            }
        })
    }

    /// The pod could not be bound. It is tried again, as it is now, unless it has gone or was seen on a node.
    pub(super) fn forget(&mut self, mut queued: QueuedPod, now: Instant) {
        let Some(pod) = self.assumed.remove(&queued.pod.uid) else { return };
        self.snapshot.remove_pod(&pod.uid);
        queued.pod = pod.clone();
        self.queue.retry(queued, now);
        self.queue.wake(&ClusterEvent::PodDeleted(pod), now);
    }

    /// Takes the node for the pod before it is bound, so that the next pod sees it.
    fn assume(&mut self, pod: &Arc<PodInfo>, id: NodeId) -> Placement {
        let node = self.snapshot.name(id).clone();
        self.snapshot.place(pod.clone(), id);
        self.assumed.insert(pod.uid.clone(), pod.clone());
        Placement { pod: pod.clone(), node }
    }

    fn bound(&mut self, pod: Arc<PodInfo>, now: Instant) {
        self.queue.remove(&pod.uid);
        // Others may have waited for it, and it was not sure before.
        let sure = self.assumed.remove(&pod.uid).is_none();
        let known = self.snapshot.pod(&pod.uid).cloned().filter(|_| sure);
        let was_on = self.snapshot.node_of(&pod.uid);
        self.snapshot.set_pod(pod.clone());
        match known {
            None => self.queue.wake(&ClusterEvent::PodAdded(pod), now),
            Some(old) if !old.same_class(&pod) || was_on != self.snapshot.node_of(&pod.uid) => {
                self.queue.wake(&ClusterEvent::PodUpdated { old, new: pod }, now);
            }
            Some(_) => {}
        }
    }

    fn pending(&mut self, pod: Arc<PodInfo>, now: Instant) {
        let mine = &*pod.scheduler_name == self.profile.name() || pod.scheduler_name.is_empty();
        if let Some(assumed) = self.assumed.get_mut(&pod.uid) {
            // One that was just placed may show up once more before it shows up bound.
            *assumed = pod;
        } else if mine && self.queue.changes(&pod) {
            self.queue.add(pod, now);
        }
    }
}
