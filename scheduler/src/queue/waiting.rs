//! Pods that wait, by uid, by the time they are due, and by what they wait for.

use super::QueuedPod;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use tokio::time::Instant;
use windlass_core::meta::Str;

/// What is due is found without a look at the others, and so are those that an event may help.
#[derive(Default)]
pub(super) struct Waiting {
    pods: FxHashMap<Box<str>, (Option<Instant>, QueuedPod)>,
    times: BTreeSet<(Instant, u64, Box<str>)>,
    by_cause: FxHashMap<Cause, FxHashSet<Box<str>>>,
}

/// Why pods wait: an event is of interest to all of one cause, or to none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cause {
    pub(super) scheduler: Str,
    pub(super) refused_by: SmallVec<[&'static str; 2]>,
    pub(super) hears: Hears,
}

/// Which events a pod hears of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Hears {
    /// All.
    #[default]
    All,
    /// Not that others go to make room: room is being made for itself.
    NoVictims,
    /// None: something has happened already, and it may have no turn yet.
    Nothing,
}

// === impl Waiting ===

impl Waiting {
    /// Puts a pod in until `due`, or until it is taken out.
    pub(super) fn insert(&mut self, due: Option<Instant>, queued: QueuedPod) {
        let uid = queued.pod.uid.clone();
        self.remove(&uid);
        if let Some(due) = due {
            self.times.insert((due, queued.sequence, uid.clone()));
        }
        self.by_cause.entry(queued.cause()).or_default().insert(uid.clone());
        self.pods.insert(uid, (due, queued));
    }

    pub(super) fn get(&self, uid: &str) -> Option<&QueuedPod> {
        self.pods.get(uid).map(|(_, queued)| queued)
    }

    pub(super) fn remove(&mut self, uid: &str) -> Option<QueuedPod> {
        let (uid, (due, queued)) = self.pods.remove_entry(uid)?;
        let cause = queued.cause();
        if let Some(uids) = self.by_cause.get_mut(&cause) {
            uids.remove(&uid);
            if uids.is_empty() {
                self.by_cause.remove(&cause);
            }
        }
        if let Some(due) = due {
            self.times.remove(&(due, queued.sequence, uid));
        }
        Some(queued)
    }

    /// The first that is due, if one is.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<QueuedPod> {
        let (_, _, uid) = self.times.first().filter(|(due, ..)| *due <= now)?.clone();
        self.remove(&uid)
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.times.first().map(|(due, ..)| *due)
    }

    pub(super) fn len(&self) -> usize {
        self.pods.len()
    }

    /// The uids of those that are wanted, in the order they came. `of` says for a cause whom of its pods, or that it is none.
    pub(super) fn select<W: Fn(&QueuedPod) -> bool>(
        &self,
        mut of: impl FnMut(&Cause) -> Option<W>,
    ) -> Vec<Box<str>> {
        let mut found = Vec::new();
        for (cause, uids) in &self.by_cause {
            let Some(wanted) = of(cause) else { continue };
            let pods = uids.iter().filter_map(|uid| self.get(uid));
            let wanted = pods.filter(|queued| wanted(queued));
            found.extend(wanted.map(|queued| (queued.sequence, queued.pod.uid.clone())));
        }
        found.sort_unstable();
        found.into_iter().map(|(_, uid)| uid).collect()
    }
}
