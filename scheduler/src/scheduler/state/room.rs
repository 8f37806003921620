//! Pods for which others have to go: nobody has to go for one twice.

use super::{State, Turn};
use crate::PodInfo;
use crate::framework::Unschedulable;
use crate::queue::QueuedPod;
use rustc_hash::FxHashSet;
use std::sync::Arc;
use tokio::time::Instant;

/// Room that is being made for a pod.
pub(super) struct MakingRoom {
    /// The ends of all victims have been asked for.
    asked: bool,
    /// Victims that are not seen to go yet.
    staying: FxHashSet<Box<str>>,
}

impl State {
    pub(super) fn refuse(&mut self, queued: QueuedPod, why: Unschedulable, now: Instant) -> Turn {
        self.promise(&queued.pod, &why, now);
        if !why.victims.is_empty() {
            // Until the snapshot shows that they go it would find others.
            // Some may have gone while extenders were asked: nobody will say so once more.
            let there = |uid: &str| self.engine.snapshot.pod(uid).is_some_and(|pod| !pod.deleting);
            let staying = why.victims.iter().map(|pod| pod.uid.clone());
            let staying = staying.filter(|uid| there(uid)).collect();
            self.queue.hold(&queued.pod.uid);
            self.making_room.insert(queued.pod.uid.clone(), MakingRoom { asked: false, staying });
        }
        self.queue.park(queued.clone(), &why, now);
        Turn::Refused(queued, why)
    }

    /// The ends of all victims have been asked for. The pod has its next turn when they are seen to go.
    pub(in crate::scheduler) fn room_asked_for(&mut self, uid: &str, now: Instant) {
        if let Some(room) = self.making_room.get_mut(uid) {
            room.asked = true;
        }
        self.release_ready(now);
    }

    /// Room could not be made for a pod: it is promised nothing any more, and tried again.
    pub(in crate::scheduler) fn no_room(&mut self, uid: &str, now: Instant) {
        self.needs_no_room(uid, now);
        self.break_promise(uid, now);
    }

    /// The pod has a node, or is no more.
    pub(super) fn needs_no_room(&mut self, uid: &str, now: Instant) {
        if self.making_room.remove(uid).is_some() {
            self.queue.release(uid, now);
        }
    }

    /// A pod goes, or has gone.
    pub(super) fn leaves(&mut self, uid: &str, now: Instant) {
        if self.making_room.is_empty() {
            return;
        }
        for room in self.making_room.values_mut() {
            room.staying.remove(uid);
        }
        self.release_ready(now);
    }

    fn release_ready(&mut self, now: Instant) {
        let ready = self.making_room.extract_if(|_, room| room.asked && room.staying.is_empty());
        for (uid, _) in ready {
            self.queue.release(&uid, now);
        }
    }

    /// Takes a pod's promise back, so that it looks for another node.
    pub(super) fn break_promise(&mut self, uid: &str, now: Instant) {
        if self.engine.nominated.remove(uid) {
            self.queue.rouse(uid, now);
        }
    }

    /// Keeps the room free that is being made for a pod. Lower ones that were promised the node have to look for another.
    fn promise(&mut self, pod: &Arc<PodInfo>, why: &Unschedulable, now: Instant) {
        let Some(node) = &why.nominated else {
            self.engine.nominated.remove(&pod.uid);
            return;
        };
        let below = self.engine.nominated.below(node, pod.priority);
        let below: Vec<Box<str>> = below.map(|lower| lower.uid.clone()).collect();
        for uid in below {
            self.break_promise(&uid, now);
        }
        self.engine.nominated.promise(pod, node.clone());
    }
}
