//! Pods that wait for a node: active, backing off, unschedulable.
//!
//! An event wakes only the pods it may help: those refused by a plugin that says so ([`crate::framework::Plugin::may_help`]).
//! Pure: the caller says what time it is, and sleeps until [`Queue::next_due`].

mod event;
mod groups;
mod waiting;

pub use event::ClusterEvent;
pub(crate) use groups::{GroupKey, group_of};

use crate::PodInfo;
use crate::extender;
use crate::framework::{Enabled, Profile, Profiles, Unschedulable};
use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use waiting::{Cause, Hears, Waiting};
use windlass_core::meta::Str;
use windlass_core::workqueue::Backoff;

/// A pod is tried again after so long even if nothing seems to help it.
const FLUSH_AFTER: Duration = Duration::from_secs(5 * 60);
/// When more happens while a pod is being looked at, it is tried again in any case.
const MOST_MISSED: usize = 1024;

/// A pod in the queue.
#[derive(Clone, Debug)]
pub struct QueuedPod {
    /// The pod.
    pub pod: Arc<PodInfo>,
    /// When it came, or was tried last, compared with others: who was tried goes behind those that wait.
    pub sequence: u64,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// What was written about it last. Who writes about the pod, or binds it, holds this: so what is
    /// written comes in order.
    pub(crate) report: Arc<Mutex<Report>>,
    tried: Instant,
    refused_by: SmallVec<[&'static str; 2]>,
    hears: Hears,
}

/// Why a pod got no node, as its condition says it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Report {
    pub(crate) message: String,
    pub(crate) nominated: Option<Str>,
    /// Since when it has none.
    pub(crate) since: Option<Timestamp>,
}

/// How a pod is held back for which room is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It has no turn, whatever happens.
    NoTurn,
    /// It has one when something happens that may help it. That others go to make room does not: what is made for it is
    /// its own.
    ForVictims,
}

/// Who is asked whether an event helps a pod.
enum Asked<'p> {
    /// Nobody: it may.
    Nobody,
    /// Plugins that refused the pod and hear of the event.
    These(SmallVec<[&'p Enabled; 2]>),
}

/// The pods that wait.
pub struct Queue {
    profiles: Profiles,
    backoff: Backoff,
    active: VecDeque<QueuedPod>,
    is_active: FxHashMap<Box<str>, QueuedPod>,
    backing_off: Waiting,
    unschedulable: Waiting,
    groups: FxHashMap<GroupKey, FxHashSet<Box<str>>>,
    /// Pods for which room is being made.
    held: FxHashMap<Box<str>, Hold>,
    /// What has happened while somebody outside looked at a pod.
    missed: FxHashMap<Box<str>, Vec<ClusterEvent>>,
    sequence: u64,
}

impl Queue {
    /// An empty queue. A pod that failed waits 1 s, then longer, at most 10 s, before it may be tried again.
    #[must_use]
    pub fn new(profiles: impl Into<Profiles>) -> Self {
        let backoff = Backoff { first: Duration::from_secs(1), max: Duration::from_secs(10) };
        Self::with_backoff(profiles, backoff)
    }

    /// The same with other waits (`podInitialBackoffSeconds`, `podMaxBackoffSeconds`).
    #[must_use]
    pub fn with_backoff(profiles: impl Into<Profiles>, backoff: Backoff) -> Self {
        Self {
            profiles: profiles.into(),
            backoff,
            active: VecDeque::new(),
            is_active: FxHashMap::default(),
            backing_off: Waiting::default(),
            unschedulable: Waiting::default(),
            groups: FxHashMap::default(),
            held: FxHashMap::default(),
            missed: FxHashMap::default(),
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
        self.get(&pod.uid).is_none_or(|known| !known.pod.same_class(pod))
    }

    /// How many pods are active, back off, and wait for an event that helps them.
    #[must_use]
    pub fn counts(&self) -> [usize; 3] {
        [self.is_active.len(), self.backing_off.len(), self.unschedulable.len()]
    }

    /// Takes a pod out.
    pub fn remove(&mut self, uid: &str) -> Option<QueuedPod> {
        self.missed.remove(uid);
        let waited = self.backing_off.remove(uid).or_else(|| self.unschedulable.remove(uid));
        let queued = waited.or_else(|| self.deactivate(uid))?;
        self.leave_group(&queued.pod);
        Some(queued)
    }

    /// The next pod to place.
    pub fn pop(&mut self) -> Option<QueuedPod> {
        let first = self.active.pop_front()?;
        self.is_active.remove(&first.pod.uid);
        self.leave_group(&first.pod);
        Some(first)
    }

    /// What happens from now on counts for a pod that was popped, when it is [parked](Self::park).
    pub(crate) fn listen(&mut self, uid: &str) {
        self.missed.entry(uid.into()).or_default();
    }

    /// From now on a pod is held back, until it is [released](Self::release). To be said before it is parked.
    pub(crate) fn hold(&mut self, uid: &str, hold: Hold) {
        self.held.insert(uid.into(), hold);
    }

    /// A pod that is held back may have a turn when something happens; that counts which has happened.
    pub(crate) fn loosen(&mut self, uid: &str, now: Instant) {
        let Some(hold) = self.held.get_mut(uid) else { return };
        *hold = Hold::ForVictims;
        if self.unschedulable.get(uid).is_some_and(|queued| queued.hears == Hears::Nothing) {
            self.rouse(uid, now);
        }
    }

    /// A pod is held back no more.
    pub(crate) fn release(&mut self, uid: &str) {
        self.held.remove(uid);
    }

    /// A pod got no node: it waits for an event that may help.
    pub fn park(&mut self, mut queued: QueuedPod, why: &Unschedulable, now: Instant) {
        let missed = self.missed.remove(&queued.pod.uid).unwrap_or_default();
        self.tried(&mut queued, now);
        queued.refused_by = why.plugins.iter().copied().collect();
        let held = self.held.contains_key(&queued.pod.uid);
        queued.hears = if held { Hears::NoVictims } else { Hears::All };
        self.join_group(&queued.pod);
        let (profile, cause) = (self.profiles.of(&queued.pod), queued.cause());
        let helps = |event: &ClusterEvent| {
            cause.asked(event, profile).is_some_and(|asked| asked.helps(event, &queued.pod))
        };
        if missed.len() >= MOST_MISSED || missed.iter().any(helps) {
            self.back_off(queued, now);
        } else {
            self.unschedulable.insert(Some(now + FLUSH_AFTER), queued);
        }
    }

    /// A pod could not be bound: it is tried again after a while.
    pub fn retry(&mut self, mut queued: QueuedPod, now: Instant) {
        self.missed.remove(&queued.pod.uid);
        self.tried(&mut queued, now);
        self.join_group(&queued.pod);
        self.back_off(queued, now);
    }

    /// Something happened: wakes the pods it may help.
    pub fn wake(&mut self, event: &ClusterEvent, now: Instant) {
        let lists = self.missed.values_mut().filter(|events| events.len() < MOST_MISSED);
        lists.for_each(|events| events.push(event.clone()));
        let profiles = &self.profiles;
        let helped = self.unschedulable.select(|cause| {
            let profile = profiles.named(&cause.scheduler).unwrap_or_else(|| profiles.first());
            let asked = cause.asked(event, profile)?;
            Some(move |queued: &QueuedPod| asked.helps(event, &queued.pod))
        });
        for uid in helped {
            self.rouse(&uid, now);
        }
    }

    /// Lets a pod that waits be tried again, after its back-off.
    pub fn rouse(&mut self, uid: &str, now: Instant) {
        if let Some(queued) = self.unschedulable.remove(uid) {
            self.back_off(queued, now);
        }
    }

    /// Lets a pod that waits have its turn without any back-off: what it waited for is there.
    pub(crate) fn turn_now(&mut self, uid: &str) {
        let waited = self.unschedulable.remove(uid).or_else(|| self.backing_off.remove(uid));
        if let Some(queued) = waited {
            self.enqueue(queued);
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

    fn get(&self, uid: &str) -> Option<&QueuedPod> {
        let waiting = self.backing_off.get(uid).or_else(|| self.unschedulable.get(uid));
        waiting.or_else(|| self.is_active.get(uid))
    }

    fn fresh(&mut self, pod: Arc<PodInfo>, now: Instant) -> QueuedPod {
        self.sequence += 1;
        QueuedPod {
            pod,
            sequence: self.sequence,
            attempts: 0,
            report: Arc::default(),
            tried: now,
            refused_by: SmallVec::new(),
            hears: Hears::All,
        }
    }

    fn tried(&mut self, queued: &mut QueuedPod, now: Instant) {
        self.sequence += 1;
        queued.sequence = self.sequence;
        queued.attempts += 1;
        queued.tried = now;
    }

    /// The wait counts from the last try, so a pod that was parked for long goes at once.
    fn back_off(&mut self, queued: QueuedPod, now: Instant) {
        let due = queued.tried + self.backoff.wait(queued.attempts.saturating_sub(1));
        if queued.attempts == 0 || due <= now {
            self.enqueue(queued);
        } else {
            self.backing_off.insert(Some(due), queued);
        }
    }

    /// The one way to the active pods: past the gates. A pod that must wait at one is looked at again
    /// when it changes, or when the plugin says that something may help.
    fn enqueue(&mut self, mut queued: QueuedPod) {
        let closed = self.profiles.of(&queued.pod).closed(&queued.pod);
        queued.refused_by = closed.map(|(plugin, _)| plugin).collect();
        let no_turn = self.held.get(&queued.pod.uid) == Some(&Hold::NoTurn);
        queued.hears = if no_turn { Hears::Nothing } else { Hears::All };
        if no_turn || !queued.refused_by.is_empty() {
            self.leave_group(&queued.pod);
            self.unschedulable.insert(None, queued);
        } else {
            self.join_group(&queued.pod);
            self.activate(queued);
        }
    }

    /// The active pods are kept sorted. A new one mostly goes to the end, which costs nothing.
    fn activate(&mut self, queued: QueuedPod) {
        let at = self.active.partition_point(|other| self.order(other, &queued).is_le());
        self.is_active.insert(queued.pod.uid.clone(), queued.clone());
        self.active.insert(at, queued);
    }

    fn deactivate(&mut self, uid: &str) -> Option<QueuedPod> {
        let queued = self.is_active.remove(uid)?;
        let from = self.active.partition_point(|other| self.order(other, &queued).is_lt());
        let at = (from..self.active.len()).find(|at| *self.active[*at].pod.uid == *uid)?;
        self.active.remove(at)
    }

    /// All profiles have the same order (Kubernetes demands it); the first is asked.
    fn order(&self, a: &QueuedPod, b: &QueuedPod) -> Ordering {
        match self.profiles.first().at(|at| at.queue_sort.as_ref()).next() {
            Some((_, sort)) => sort.compare(a, b),
            None => a.sequence.cmp(&b.sequence),
        }
    }
}

// === impl QueuedPod ===

impl QueuedPod {
    fn cause(&self) -> Cause {
        let (scheduler, refused_by) = (self.pod.scheduler_name.clone(), self.refused_by.clone());
        Cause { scheduler, refused_by, hears: self.hears }
    }
}

// === impl Cause ===

impl Cause {
    /// Who is asked whether an event helps pods that wait for this; none: it helps none of them.
    fn asked<'p>(&self, event: &ClusterEvent, profile: &'p Profile) -> Option<Asked<'p>> {
        let hears = match self.hears {
            Hears::All => true,
            Hears::NoVictims => !event.makes_room(),
            Hears::Nothing => false,
        };
        if !hears {
            return None;
        }
        // What helps with an extender nobody knows.
        if self.refused_by.is_empty() || self.refused_by.contains(&extender::NAME) {
            return Some(Asked::Nobody);
        }
        let refused = profile.plugins().iter().filter(|enabled| {
            self.refused_by.contains(&enabled.plugin.name()) && enabled.plugin.hears(event)
        });
        let asked: SmallVec<[&Enabled; 2]> = refused.collect();
        (!asked.is_empty()).then_some(Asked::These(asked))
    }
}

// === impl Asked ===

impl Asked<'_> {
    fn helps(&self, event: &ClusterEvent, pod: &PodInfo) -> bool {
        match self {
            Self::Nobody => true,
            Self::These(plugins) => plugins.iter().any(|at| at.plugin.may_help(event, pod)),
        }
    }
}

#[cfg(test)]
mod tests;
