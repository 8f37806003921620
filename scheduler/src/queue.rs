//! Pods that wait for a node: active, backing off, unschedulable.
//!
//! An event wakes only the pods it may help: those refused by a plugin that says so ([`crate::framework::Plugin::may_help`]).
//! Pure: the caller says what time it is, and sleeps until [`Queue::next_due`].

use crate::framework::{Profile, Unschedulable};
use crate::{NodeInfo, PodInfo};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::workqueue::Backoff;

/// A pod is tried again after so long even if nothing seems to help it.
const FLUSH_AFTER: Duration = Duration::from_secs(5 * 60);

/// Something that may make a pod schedulable.
#[derive(Clone, Debug)]
pub enum ClusterEvent {
    /// A node came.
    NodeAdded(Arc<NodeInfo>),
    /// A node changed.
    NodeUpdated(Arc<NodeInfo>),
    /// A pod left its node.
    PodDeleted,
    /// The pod itself, or one on a node, changed.
    PodUpdated,
}

/// A pod in the queue.
#[derive(Clone, Debug)]
pub struct QueuedPod {
    /// The pod.
    pub pod: Arc<PodInfo>,
    /// When it came, compared with others.
    pub sequence: u64,
    /// How often it was tried in vain.
    pub attempts: u32,
    refused_by: Vec<&'static str>,
}

/// The pods that wait.
pub struct Queue {
    profile: Arc<Profile>,
    backoff: Backoff,
    active: VecDeque<QueuedPod>,
    is_active: FxHashSet<Box<str>>,
    backing_off: FxHashMap<Box<str>, (Instant, QueuedPod)>,
    unschedulable: FxHashMap<Box<str>, (Instant, QueuedPod)>,
    sequence: u64,
}

impl Queue {
    /// An empty queue. A pod that failed waits 1 s, then longer, at most 10 s, before it may be tried again.
    #[must_use]
    pub fn new(profile: Arc<Profile>) -> Self {
        let backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(10) };
        Self {
            profile,
            backoff,
            active: VecDeque::new(),
            is_active: FxHashSet::default(),
            backing_off: FxHashMap::default(),
            unschedulable: FxHashMap::default(),
            sequence: 0,
        }
    }

    /// Takes a new or changed pod in.
    pub fn add(&mut self, pod: Arc<PodInfo>, now: Instant) {
        let known = self.remove(&pod.uid);
        let sequence =
            known.as_ref().map_or_else(|| self.next_sequence(), |queued| queued.sequence);
        let attempts = known.map_or(0, |queued| queued.attempts);
        let gates = self.profile.at(|at| at.pre_enqueue.as_ref());
        let refused_by = gates.filter(|(_, gate)| gate.pre_enqueue(&pod).is_err());
        let refused_by: Vec<_> = refused_by.map(|(enabled, _)| enabled.plugin.name()).collect();
        let queued = QueuedPod { pod, sequence, attempts, refused_by };
        if queued.refused_by.is_empty() {
            self.activate(queued);
        } else {
            self.unschedulable.insert(queued.pod.uid.clone(), (now, queued));
        }
    }

    /// Whether a pod is new to the queue, or asks for something else than what waits here. A change of its status
    /// alone (the condition this scheduler wrote) is no reason to try again.
    #[must_use]
    pub fn changes(&self, pod: &PodInfo) -> bool {
        let waiting = self.backing_off.get(&pod.uid).or_else(|| self.unschedulable.get(&pod.uid));
        let waiting = waiting.map(|(_, queued)| queued);
        match waiting {
            Some(queued) => *queued.pod != *pod,
            None => !self.is_active.contains(&pod.uid),
        }
    }

    /// Takes a pod out.
    pub fn remove(&mut self, uid: &str) -> Option<QueuedPod> {
        if let Some((_, queued)) =
            self.backing_off.remove(uid).or_else(|| self.unschedulable.remove(uid))
        {
            return Some(queued);
        }
        if !self.is_active.remove(uid) {
            return None;
        }
        let at = self.active.iter().position(|queued| *queued.pod.uid == *uid)?;
        self.active.remove(at)
    }

    /// The next pod to place.
    pub fn pop(&mut self) -> Option<QueuedPod> {
        let first = self.active.pop_front()?;
        self.is_active.remove(&first.pod.uid);
        Some(first)
    }

    /// A pod got no node: it waits for an event that may help.
    pub fn park(&mut self, mut queued: QueuedPod, why: &Unschedulable, now: Instant) {
        queued.attempts += 1;
        queued.refused_by.clone_from(&why.plugins);
        self.unschedulable.insert(queued.pod.uid.clone(), (now, queued));
    }

    /// A pod could not be bound: it is tried again after a while.
    pub fn retry(&mut self, mut queued: QueuedPod, now: Instant) {
        queued.attempts += 1;
        self.back_off(queued, now);
    }

    /// Something happened: wakes the pods it may help.
    pub fn wake(&mut self, event: &ClusterEvent, now: Instant) {
        let profile = self.profile.clone();
        let helps = |queued: &QueuedPod| {
            let refused = |name| queued.refused_by.contains(&name);
            queued.refused_by.is_empty()
                || profile.plugins().iter().any(|enabled| {
                    refused(enabled.plugin.name()) && enabled.plugin.may_help(event, &queued.pod)
                })
        };
        let woken = self.unschedulable.extract_if(|_, (_, queued)| helps(queued));
        let woken: Vec<_> = woken.map(|(_, (since, queued))| (since, queued)).collect();
        for (since, queued) in woken {
            self.back_off_since(queued, since, now);
        }
    }

    /// Moves what is due to the active pods.
    pub fn advance(&mut self, now: Instant) {
        let due = self.backing_off.extract_if(|_, (due, _)| *due <= now);
        let due: Vec<_> = due.map(|(_, (_, queued))| queued).collect();
        let stale = |queued: &QueuedPod| queued.attempts > 0;
        let flushed = self
            .unschedulable
            .extract_if(|_, (since, queued)| *since + FLUSH_AFTER <= now && stale(queued));
        let flushed: Vec<_> = flushed.map(|(_, (_, queued))| queued).collect();
        due.into_iter().chain(flushed).for_each(|queued| self.activate(queued));
    }

    /// When [`Queue::advance`] has something to do next.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        let backing_off = self.backing_off.values().map(|(due, _)| *due);
        let parked = self.unschedulable.values().filter(|(_, queued)| queued.attempts > 0);
        backing_off.chain(parked.map(|(since, _)| *since + FLUSH_AFTER)).min()
    }

    fn back_off(&mut self, queued: QueuedPod, now: Instant) {
        self.back_off_since(queued, now, now);
    }

    /// The wait counts from the last try, so a pod that was parked for long goes at once.
    fn back_off_since(&mut self, queued: QueuedPod, since: Instant, now: Instant) {
        let due = since + self.backoff.wait(queued.attempts.saturating_sub(1));
        if due <= now {
            self.activate(queued);
        } else {
            self.backing_off.insert(queued.pod.uid.clone(), (due, queued));
        }
    }

    /// The active pods are kept sorted. A new one mostly goes to the end, which costs nothing.
    fn activate(&mut self, queued: QueuedPod) {
        let sort = self.profile.at(|at| at.queue_sort.as_ref()).next();
        let at = self.active.partition_point(|other| match sort {
            Some((_, sort)) => sort.compare(other, &queued).is_le(),
            None => other.sequence < queued.sequence,
        });
        self.is_active.insert(queued.pod.uid.clone());
        self.active.insert(at, queued);
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

#[cfg(test)]
mod tests;
