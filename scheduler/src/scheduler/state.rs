//! What the scheduler knows, kept up to date by events. No waiting, no I/O.

mod extended;
mod gangs;
mod room;

use crate::extender::{Extenders, NamedRoom};
use crate::framework::{Engine, Placement, Profiles, Unschedulable};
use crate::queue::{ClusterEvent, Queue, QueuedPod, group_of};
use crate::snapshot::NodeId;
use crate::{NodeInfo, PodInfo, Snapshot};
use room::Rooms;
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::Instant;
use windlass_core::Object;
use windlass_core::clock::Random;
use windlass_core::meta::Str;
use windlass_core::scheme::GroupVersionResource;

pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) queue: Queue,
    profiles: Profiles,
    nodes: FxHashMap<Str, Arc<NodeInfo>>,
    /// Pods that were given a node and are not known to be bound yet, as they are now.
    assumed: FxHashMap<Box<str>, Arc<PodInfo>>,
    /// Pods about which extenders are being asked, as they are now.
    consulting: FxHashMap<Box<str>, Arc<PodInfo>>,
    pub(super) extenders: Extenders,
    /// Pods for which others are being ended.
    rooms: Rooms,
    /// Turns that were taken together and are not handed out yet.
    taken: VecDeque<Turn>,
}

/// A pod with the node it got.
pub(super) type Placed = (QueuedPod, Placement);

/// What became of a turn.
pub(super) enum Turn {
    /// Mostly one; the pods of a group together.
    Placed(SmallVec<[Placed; 1]>),
    Refused(QueuedPod, Unschedulable),
    /// Extenders have a say in where it goes: these nodes are left, each with its score.
    Consult(QueuedPod, Vec<(Str, i64)>),
    /// Extenders have a say in who must go for it.
    MakeRoom(QueuedPod, Unschedulable, Vec<NamedRoom>),
}

impl State {
    pub(super) fn new(profiles: Profiles, queue: Queue, extenders: Extenders) -> Self {
        let mut snapshot = Snapshot::default();
        profiles.attach(&mut snapshot);
        let mut engine = Engine::new(snapshot);
        engine.all_rooms = extenders.preempt();
        Self {
            engine,
            consulting: FxHashMap::default(),
            extenders,
            queue,
            profiles,
            nodes: FxHashMap::default(),
            assumed: FxHashMap::default(),
            rooms: Rooms::default(),
            taken: VecDeque::new(),
        }
    }

    /// Takes a node in. One that only said that it lives is none of the scheduler's business.
    pub(super) fn node_seen(&mut self, node: NodeInfo, now: Instant) {
        let node = Arc::new(node);
        let known = self.nodes.insert(node.name.clone(), node.clone());
        if known.as_ref() == Some(&node) {
            return;
        }
        self.engine.snapshot.set_node(node.clone());
        let event = match known {
            None => ClusterEvent::NodeAdded(node),
            Some(old) => ClusterEvent::NodeUpdated { old, new: node },
        };
        self.queue.wake(&event, now);
    }

    pub(super) fn node_gone(&mut self, name: &str, now: Instant) {
        self.engine.snapshot.remove_node(name);
        if let Some(node) = self.nodes.remove(name) {
            self.queue.wake(&ClusterEvent::NodeDeleted(node), now);
        }
        // Room that is made there is of use to nobody.
        let promised = self.engine.nominated.on(name).map(|pod| pod.uid.clone());
        let promised: Vec<Box<str>> = promised.collect();
        promised.iter().for_each(|uid| self.no_room(uid, now));
    }

    pub(super) fn object_seen(
        &mut self,
        resource: &GroupVersionResource,
        object: &Arc<Object>,
        now: Instant,
    ) {
        self.engine.snapshot.set_object(resource, object);
        self.queue.wake(&ClusterEvent::ObjectSet(resource.clone(), object.clone()), now);
    }

    pub(super) fn object_gone(
        &mut self,
        resource: &GroupVersionResource,
        object: &Arc<Object>,
        now: Instant,
    ) {
        self.engine.snapshot.remove_object(resource, object);
        self.queue.wake(&ClusterEvent::ObjectDeleted(resource.clone(), object.clone()), now);
    }

    pub(super) fn pod_seen(&mut self, pod: PodInfo, now: Instant) {
        if pod.terminal {
            self.pod_gone(&pod.uid, now);
        } else if !pod.node_name.is_empty() {
            self.bound(Arc::new(pod), now);
        } else if pod.deleting {
            if let Some(assumed) = self.assumed.get_mut(&pod.uid) {
                *assumed = Arc::new(pod.clone());
            }
            self.waits_no_more(&pod.uid, now);
            self.going(&pod.uid, now);
        } else {
            self.pending(Arc::new(pod), now);
        }
    }

    pub(super) fn pod_gone(&mut self, uid: &str, now: Instant) {
        self.waits_no_more(uid, now);
        self.assumed.remove(uid);
        if let Some(mut pod) = self.engine.snapshot.pod(uid).cloned() {
            self.engine.snapshot.remove_pod(uid);
            if !pod.preempted && self.rooms.has_victim(uid) {
                // It went before it was seen with the mark.
                pod = Arc::new(PodInfo { preempted: true, ..(*pod).clone() });
            }
            self.queue.wake(&ClusterEvent::PodDeleted(pod), now);
        }
        self.gone(uid, now);
    }

    fn waits_no_more(&mut self, uid: &str, now: Instant) {
        self.needs_no_room(uid, now);
        self.queue.remove(uid);
        self.consulting.remove(uid);
        self.engine.nominated.forget(uid);
    }

    /// Gives the next pod its turn, or the next group. In one go: nothing can happen to a pod in between.
    pub(super) fn turn(&mut self, random: &dyn Random, now: Instant) -> Option<Turn> {
        if let Some(turn) = self.taken.pop_front() {
            return Some(turn);
        }
        self.queue.advance(now);
        let queued = self.queue.pop()?;
        match group_of(&queued.pod) {
            Some(group) if self.gangs_together(&queued.pod) => {
                self.gang_turn(queued, &group, random, now);
                self.taken.pop_front()
            }
            _ => Some(self.one_turn(queued, random, now)),
        }
    }

    fn one_turn(&mut self, queued: QueuedPod, random: &dyn Random, now: Instant) -> Turn {
        let profile = self.profiles.of(&queued.pod).clone();
        match self.engine.place(&queued.pod, &profile, random) {
            Ok(_) if self.extenders.concern(&queued.pod) => self.consult(queued, &profile, now),
            Err(why) if !why.rooms.is_empty() => self.ask_for_room(queued, why),
            Ok(id) => {
                let placement = self.assume(&queued.pod, id, now);
                Turn::Placed(smallvec![(queued, placement)])
            }
            Err(why) => self.refuse(queued, why, now),
        }
    }

    /// Placed pods could not be bound. They are tried again, as they are now, unless they go or were seen on a node.
    pub(super) fn forget(&mut self, mut queued: QueuedPod, now: Instant) {
        let Some(pod) = self.assumed.remove(&queued.pod.uid) else {
            // What was held for it until now is free only now.
            return self.queue.wake(&ClusterEvent::PodDeleted(queued.pod), now);
        };
        self.engine.snapshot.remove_pod(&pod.uid);
        if !pod.deleting {
            queued.pod = pod.clone();
            self.queue.retry(queued, now);
        }
        self.queue.wake(&ClusterEvent::PodDeleted(pod), now);
    }

    /// Takes the node for the pod before it is bound, so that the next pod sees it.
    fn assume(&mut self, pod: &Arc<PodInfo>, id: NodeId, now: Instant) -> Placement {
        self.needs_no_room(&pod.uid, now);
        let node = self.engine.snapshot.name(id).clone();
        self.engine.snapshot.place(pod.clone(), id);
        self.engine.nominated.remove(&pod.uid);
        self.assumed.insert(pod.uid.clone(), pod.clone());
        let placement = Placement { pod: pod.clone(), node, id };
        for (_, reserve) in self.profiles.of(pod).at(|at| at.reserve.as_ref()) {
            reserve.assumed(&placement, &self.engine.snapshot);
        }
        placement
    }

    fn bound(&mut self, pod: Arc<PodInfo>, now: Instant) {
        self.waits_no_more(&pod.uid, now);
        // Others may have waited for it, and it was not sure before.
        let sure = self.assumed.remove(&pod.uid).is_none();
        let snapshot = &mut self.engine.snapshot;
        let known = snapshot.pod(&pod.uid).cloned().filter(|_| sure);
        let was_on = snapshot.node_of(&pod.uid);
        let (uid, deleting) = (pod.uid.clone(), pod.deleting);
        snapshot.set_pod(pod.clone());
        match known {
            None => self.queue.wake(&ClusterEvent::PodAdded(pod), now),
            Some(old) if !old.counts_like(&pod) || was_on != snapshot.node_of(&pod.uid) => {
                self.queue.wake(&ClusterEvent::PodUpdated { old, new: pod }, now);
            }
            Some(_) => {}
        }
        if deleting {
            self.going(&uid, now);
        }
    }

    fn pending(&mut self, pod: Arc<PodInfo>, now: Instant) {
        if let Some(assumed) = self.assumed.get_mut(&pod.uid) {
            // One that was just placed may show up once more before it shows up bound.
            *assumed = pod;
            return;
        }
        if let Some(asked) = self.consulting.get_mut(&pod.uid) {
            *asked = pod;
            return;
        }
        if self.profiles.named(&pod.scheduler_name).is_none() {
            return;
        }
        self.engine.nominated.heard(&pod);
        if self.queue.changes(&pod) {
            let group = group_of(&pod).filter(|_| self.gangs_together(&pod));
            self.queue.add(pod, now);
            group.into_iter().for_each(|group| self.gang_grew(&group, now));
        }
    }
}
