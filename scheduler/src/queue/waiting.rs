//! Pods that wait, by uid and by the time they are due.

use super::QueuedPod;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;
use tokio::time::Instant;

/// What is due is found without a look at the others.
#[derive(Default)]
pub(super) struct Waiting {
    pods: FxHashMap<Box<str>, (Option<Instant>, QueuedPod)>,
    times: BTreeSet<(Instant, u64, Box<str>)>,
}

impl Waiting {
    /// Puts a pod in until `due`, or until it is taken out.
    pub(super) fn insert(&mut self, due: Option<Instant>, queued: QueuedPod) {
        let uid = queued.pod.uid.clone();
        self.remove(&uid);
        if let Some(due) = due {
            self.times.insert((due, queued.sequence, uid.clone()));
        }
        self.pods.insert(uid, (due, queued));
    }

    pub(super) fn get(&self, uid: &str) -> Option<&QueuedPod> {
        self.pods.get(uid).map(|(_, queued)| queued)
    }

    pub(super) fn remove(&mut self, uid: &str) -> Option<QueuedPod> {
        let (uid, (due, queued)) = self.pods.remove_entry(uid)?;
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

    /// The uids of all that `wanted` says yes to, in the order they came.
    pub(super) fn select(&self, mut wanted: impl FnMut(&QueuedPod) -> bool) -> Vec<Box<str>> {
        let wanted = self.pods.values().filter(|(_, queued)| wanted(queued));
        let mut uids: Vec<_> =
            wanted.map(|(_, queued)| (queued.sequence, queued.pod.uid.clone())).collect();
        uids.sort_unstable();
        uids.into_iter().map(|(_, uid)| uid).collect()
    }
}
