//! Pods that wait for a node: active, backing off, unschedulable.
//!
//! An event wakes only the pods it may help: those refused by a plugin that says so ([`crate::framework::Plugin::may_help`]).
//! Pure: the caller says what time it is, and sleeps until [`Queue::next_due`].

mod waiting;

use crate::framework::{Profile, Unschedulable};
use crate::{NodeInfo, PodInfo};
use jiff::Timestamp;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use waiting::Waiting;
use windlass_core::Object;
use windlass_core::meta::Str;
use windlass_core::scheme::GroupVersionResource;
use windlass_core::workqueue::Backoff;

/// A pod is tried again after so long even if nothing seems to help it.
const FLUSH_AFTER: Duration = Duration::from_secs(5 * 60);

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

/// A pod in the queue.
#[derive(Clone, Debug)]
pub struct QueuedPod {
    /// The pod.
    pub pod: Arc<PodInfo>,
    /// When it came, compared with others.
    pub sequence: u64,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// What was written about it last. Who writes about the pod, or binds it, holds this: so what is
    /// written comes in order.
    pub(crate) report: Arc<Mutex<Report>>,
    tried: Instant,
    refused_by: Vec<&'static str>,
    gated: bool,
}

/// Why a pod got no node, as its condition says it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Report {
    pub(crate) message: String,
    pub(crate) nominated: Option<Str>,
    /// Since when it has none.
    pub(crate) since: Option<Timestamp>,
}

/// The pods that wait.
pub struct Queue {
    profile: Arc<Profile>,
    backoff: Backoff,
    active: VecDeque<QueuedPod>,
    is_active: FxHashMap<Box<str>, Arc<PodInfo>>,
    backing_off: Waiting,
    unschedulable: Waiting,
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
            is_active: FxHashMap::default(),
            backing_off: Waiting::default(),
            unschedulable: Waiting::default(),
            sequence: 0,
        }
    }

    /// Takes a new or changed pod in.
    pub fn add(&mut self, pod: Arc<PodInfo>, now: Instant) {
        let queued = match self.remove(&pod.uid) {
            Some(known) => QueuedPod { pod, ..known },
            None => self.fresh(pod, now),
        };
        self.enqueue(queued);
    }

    /// Whether a pod is new to the queue, or asks for something else than what waits here. A change of its status
    /// alone (the condition this scheduler wrote) is no reason to try again.
    #[must_use]
    pub fn changes(&self, pod: &PodInfo) -> bool {
        let waiting = self.backing_off.get(&pod.uid).or_else(|| self.unschedulable.get(&pod.uid));
        let known = waiting.map(|queued| &queued.pod).or_else(|| self.is_active.get(&pod.uid));
        known.is_none_or(|known| **known != *pod)
    }

    /// Takes a pod out.
    pub fn remove(&mut self, uid: &str) -> Option<QueuedPod> {
        let waited = self.backing_off.remove(uid).or_else(|| self.unschedulable.remove(uid));
        if waited.is_some() {
            return waited;
        }
        self.is_active.remove(uid)?;
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
        queued.tried = now;
        queued.refused_by.clone_from(&why.plugins);
        self.unschedulable.insert(Some(now + FLUSH_AFTER), queued);
    }

    /// A pod could not be bound: it is tried again after a while.
    pub fn retry(&mut self, mut queued: QueuedPod, now: Instant) {
        queued.attempts += 1;
        queued.tried = now;
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
        for queued in self.unschedulable.take_if(helps) {
            if queued.gated { self.enqueue(queued) } else { self.back_off(queued, now) }
        }
    }

    /// Moves what is due to the active pods.
    pub fn advance(&mut self, now: Instant) {
        while let Some(queued) =
            self.backing_off.take_due(now).or_else(|| self.unschedulable.take_due(now))
        {
            self.enqueue(queued);
        }
    }

    /// When [`Queue::advance`] has something to do next.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        [self.backing_off.next_due(), self.unschedulable.next_due()].into_iter().flatten().min()
    }

    fn fresh(&mut self, pod: Arc<PodInfo>, now: Instant) -> QueuedPod {
        self.sequence += 1;
        QueuedPod {
            pod,
            sequence: self.sequence,
            attempts: 0,
            report: Arc::default(),
            tried: now,
            refused_by: Vec::new(),
            gated: false,
        }
    }

    /// The wait counts from the last try, so a pod that was parked for long goes at once.
    fn back_off(&mut self, queued: QueuedPod, now: Instant) {
        let due = queued.tried + self.backoff.wait(queued.attempts.saturating_sub(1));
        if due <= now {
            self.enqueue(queued);
        } else {
            self.backing_off.insert(Some(due), queued);
        }
    }

    /// The one way to the active pods: past the gates. A pod that must wait at one is looked at again
    /// when it changes, or when the plugin says that something may help.
    fn enqueue(&mut self, mut queued: QueuedPod) {
        let gates = self.profile.at(|at| at.pre_enqueue.as_ref());
        let closed = gates.filter(|(_, gate)| gate.pre_enqueue(&queued.pod).is_err());
        queued.refused_by = closed.map(|(enabled, _)| enabled.plugin.name()).collect();
        queued.gated = !queued.refused_by.is_empty();
        if queued.gated {
            self.unschedulable.insert(None, queued);
        } else {
            self.activate(queued);
        }
    }

    /// The active pods are kept sorted. A new one mostly goes to the end, which costs nothing.
    fn activate(&mut self, queued: QueuedPod) {
        let sort = self.profile.at(|at| at.queue_sort.as_ref()).next();
        let at = self.active.partition_point(|other| match sort {
            Some((_, sort)) => sort.compare(other, &queued).is_le(),
            None => other.sequence < queued.sequence,
        });
        self.is_active.insert(queued.pod.uid.clone(), queued.pod.clone());
        self.active.insert(at, queued);
    }
}

#[cfg(test)]
mod tests;
