//! Pods for which others have to go: nobody has to go for one twice, and it is tried again when they have gone.

use super::{State, Turn};
use crate::PodInfo;
use crate::framework::Unschedulable;
use crate::preemption::leaving;
use crate::queue::{Hold, QueuedPod};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;
use tokio::time::Instant;

/// Room that is being made for pods.
#[derive(Default)]
pub(super) struct Rooms {
    by_pod: FxHashMap<Box<str>, MakingRoom>,
    /// For whom a pod goes.
    by_victim: FxHashMap<Box<str>, SmallVec<[Box<str>; 1]>>,
}

/// Room that is being made for one pod.
struct MakingRoom {
    /// The ends of all victims have been asked for.
    asked: bool,
    /// Those that are not gone yet, each with whether it is seen to go.
    victims: FxHashMap<Box<str>, bool>,
}

/// What becomes of a victim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Going,
    Gone,
}

// === impl Rooms ===

impl Rooms {
    fn begin(&mut self, uid: &str, asked: bool, victims: FxHashMap<Box<str>, bool>) {
        for victim in victims.keys() {
            self.by_victim.entry(victim.clone()).or_default().push(uid.into());
        }
        self.by_pod.insert(uid.into(), MakingRoom { asked, victims });
    }

    /// Returns whether room was being made for the pod.
    fn end(&mut self, uid: &str) -> bool {
        let Some(room) = self.by_pod.remove(uid) else { return false };
        room.victims.keys().for_each(|victim| self.forget(victim, uid));
        true
    }

    fn forget(&mut self, victim: &str, uid: &str) {
        if let Some(uids) = self.by_victim.get_mut(victim) {
            uids.retain(|other| **other != *uid);
            if uids.is_empty() {
                self.by_victim.remove(victim);
            }
        }
    }

    /// Returns for whom it leaves.
    fn leaves(&mut self, victim: &str, how: Leaves) -> SmallVec<[Box<str>; 1]> {
        let pods = match how {
            Leaves::Going => self.by_victim.get(victim).cloned(),
            Leaves::Gone => self.by_victim.remove(victim),
        };
        let pods = pods.unwrap_or_default();
        for uid in &pods {
            let Some(room) = self.by_pod.get_mut(uid) else { continue };
            match how {
                Leaves::Going => _ = room.victims.insert(victim.into(), true),
                Leaves::Gone => _ = room.victims.remove(victim),
            }
        }
        pods
    }

    /// Whether a pod goes to make room.
    pub(super) fn has_victim(&self, uid: &str) -> bool {
        self.by_victim.contains_key(uid)
    }
}

// === impl MakingRoom ===

impl MakingRoom {
    /// Until the snapshot shows that all go it would find others.
    fn hold(&self) -> Hold {
        match self.asked && self.victims.values().all(|going| *going) {
            true => Hold::ForVictims,
            false => Hold::NoTurn,
        }
    }
}

// === impl State ===

impl State {
    pub(super) fn refuse(&mut self, queued: QueuedPod, why: Unschedulable, now: Instant) -> Turn {
        let pod = &queued.pod;
        self.promise(pod, &why, now);
        self.rooms.end(&pod.uid);
        let (asked, victims) = self.awaited(pod, &why);
        if asked && victims.is_empty() {
            self.queue.release(&pod.uid);
        } else {
            let room = MakingRoom { asked, victims };
            self.queue.hold(&pod.uid, room.hold());
            self.rooms.begin(&pod.uid, room.asked, room.victims);
        }
        self.queue.park(queued.clone(), &why, now);
        Turn::Refused(queued, why)
    }

    /// Whether all ends that a pod waits for have been asked for, and of whom.
    fn awaited(&self, pod: &PodInfo, why: &Unschedulable) -> (bool, FxHashMap<Box<str>, bool>) {
        let snapshot = &self.engine.snapshot;
        let node = why.nominated.as_ref().and_then(|node| snapshot.id(node));
        if why.victims.is_empty() {
            let leaving = node.into_iter().flat_map(|node| leaving(pod, snapshot, node));
            return (true, leaving.map(|pod| (pod.uid.clone(), true)).collect());
        }
        // Some may have gone while extenders were asked: nobody will say so once more.
        let there = why.victims.iter().filter_map(|pod| snapshot.pod(&pod.uid));
        (false, there.map(|pod| (pod.uid.clone(), pod.deleting)).collect())
    }

    /// The ends of all victims have been asked for. The pod has its next turn when they are gone.
    pub(in crate::scheduler) fn room_asked_for(&mut self, uid: &str, now: Instant) {
        if let Some(room) = self.rooms.by_pod.get_mut(uid) {
            room.asked = true;
        }
        self.room_changed(uid, now);
    }

    /// Room could not be made for a pod: it is promised nothing any more, and tried again.
    pub(in crate::scheduler) fn no_room(&mut self, uid: &str, now: Instant) {
        self.needs_no_room(uid, now);
        self.break_promise(uid, now);
    }

    /// The pod has a node, or is no more.
    pub(super) fn needs_no_room(&mut self, uid: &str, now: Instant) {
        if self.rooms.end(uid) {
            self.queue.release(uid);
            self.queue.rouse(uid, now);
        }
    }

    /// A pod's end has been asked for.
    pub(super) fn going(&mut self, uid: &str, now: Instant) {
        let pods = self.rooms.leaves(uid, Leaves::Going);
        pods.iter().for_each(|pod| self.room_changed(pod, now));
    }

    /// A pod has gone.
    pub(super) fn gone(&mut self, uid: &str, now: Instant) {
        let pods = self.rooms.leaves(uid, Leaves::Gone);
        pods.iter().for_each(|pod| self.room_changed(pod, now));
    }

    fn room_changed(&mut self, uid: &str, now: Instant) {
        let Some(room) = self.rooms.by_pod.get(uid) else { return };
        if room.asked && room.victims.is_empty() {
            self.rooms.end(uid);
            self.queue.release(uid);
            self.queue.turn_now(uid);
        } else if room.hold() == Hold::ForVictims {
            self.queue.loosen(uid, now);
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
