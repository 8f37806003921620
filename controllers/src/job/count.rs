//! Counting ends of pods, each once.

use super::indexes;
use super::pods::{has_finalizer, index};
use crate::views::Pod;
use rustc_hash::FxHashSet;
use std::collections::BTreeSet;
use windlass_core::apis::batch::v1::{Job, JobStatus, UncountedTerminatedPods};

/// No status names more pods that are yet to be counted.
const MAX_UNCOUNTED: usize = 500;

/// Ends counted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    /// Numbers in the status, without those below.
    counted: (i32, i32),
    /// Uids of pods whose end is noted and whose finalizer may go; then they are counted.
    pub(super) succeeded: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
    /// Indexes that are done.
    pub(super) completed: BTreeSet<i32>,
    /// Indexes that have failed for good.
    pub(super) failed_indexes: BTreeSet<i32>,
    indexed: bool,
    per_index: bool,
}

/// How an end counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Succeeded,
    Failed,
    /// Not at all: the Job ended the pod itself, or its policy says so.
    Ignored,
    /// It has not ended.
    None,
}

impl Count {
    /// Continues where the status stands. `ending` tells how each pod ended.
    pub(super) fn new(job: &Job, pods: &[Pod], ending: impl Fn(&Pod) -> Ending) -> Self {
        let status = job.status.clone().unwrap_or_default();
        let noted = status.uncounted_terminated_pods.unwrap_or_default();
        let waiting = pods.iter().filter(|pod| has_finalizer(pod));
        let waiting: FxHashSet<&str> = waiting.map(|pod| &*pod.object.header().uid).collect();
        let waits = |uid: &String| waiting.contains(&**uid);
        let split = |uids: Option<Vec<String>>| -> (Vec<String>, Vec<String>) {
            uids.unwrap_or_default().into_iter().partition(waits)
        };
        let ((succeeded, done), (failed, lost)) = (split(noted.succeeded), split(noted.failed));
        let add = |number: Option<i32>, more: usize| {
            number.unwrap_or(0).saturating_add(i32::try_from(more).unwrap_or(i32::MAX))
        };
        let mut count = Self {
            counted: (add(status.succeeded, done.len()), add(status.failed, lost.len())),
            succeeded: succeeded.into_iter().collect(),
            failed: failed.into_iter().collect(),
            completed: indexes::parse(status.completed_indexes.as_deref().unwrap_or_default()),
            failed_indexes: indexes::parse(status.failed_indexes.as_deref().unwrap_or_default()),
            indexed: super::pods::is_indexed(job),
            per_index: super::pods::limit_per_index(job).is_some(),
        };
        for pod in pods.iter().filter(|pod| has_finalizer(pod)) {
            count.note(pod, ending(pod));
        }
        count
    }

    fn note(&mut self, pod: &Pod, ending: Ending) {
        let uid = pod.object.header().uid.to_string();
        if self.succeeded.len() + self.failed.len() >= MAX_UNCOUNTED {
            return;
        }
        match ending {
            Ending::Succeeded => {
                self.completed.extend(index(pod));
                self.succeeded.insert(uid);
            }
            Ending::Failed => {
                self.failed.insert(uid);
            }
            Ending::Ignored | Ending::None => {}
        }
    }

    pub(super) fn total_succeeded(&self) -> i32 {
        if self.indexed {
            return i32::try_from(self.completed.len()).unwrap_or(i32::MAX);
        }
        self.counted.0 + i32::try_from(self.succeeded.len()).unwrap_or(i32::MAX)
    }

    pub(super) fn total_failed(&self) -> i32 {
        self.counted.1 + i32::try_from(self.failed.len()).unwrap_or(i32::MAX)
    }

    /// Everything that ended is counted.
    pub(super) fn is_settled(&self) -> bool {
        self.succeeded.is_empty() && self.failed.is_empty()
    }

    pub(super) fn write(&self, status: &mut JobStatus) {
        let some = |number: i32| Some(number).filter(|number| *number > 0);
        let list = |uids: &BTreeSet<String>| {
            Some(uids.iter().cloned().collect::<Vec<_>>()).filter(|list| !list.is_empty())
        };
        status.succeeded = some(if self.indexed { self.total_succeeded() } else { self.counted.0 });
        status.failed = some(self.counted.1);
        status.completed_indexes =
            Some(indexes::format(&self.completed)).filter(|text| !text.is_empty());
        status.failed_indexes = self.per_index.then(|| indexes::format(&self.failed_indexes));
        status.uncounted_terminated_pods = Some(UncountedTerminatedPods {
            succeeded: list(&self.succeeded),
            failed: list(&self.failed),
        });
    }
}
