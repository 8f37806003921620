//! Jobs that count the failures of each index for itself (KEP-3850).

use super::count::Count;
use super::pods::{Failures, failures, has_finalizer, index, limit_per_index};
use crate::views::Pod;
use std::collections::BTreeMap;
use windlass_core::apis::batch::v1::Job;

/// The last pod of each index that failed, and its failures with this one.
#[derive(Clone, Debug, Default)]
pub(super) struct Last<'a>(BTreeMap<i32, (&'a Pod, Failures)>);

/// What a failure of a pod means for its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts.
    Counts,
    /// It counts for nothing.
    Ignored,
    /// The index has failed with it.
    FailsIndex,
}

/// Indexes that have failed for good by now.
pub(super) fn failed<'a>(
    job: &Job,
    pods: &'a [Pod],
    verdict: impl Fn(&Pod) -> Verdict,
) -> impl Iterator<Item = i32> + 'a {
    let limit = limit_per_index(job);
    let over = move |pod: &Pod| match (limit, verdict(pod)) {
        (None, _) | (_, Verdict::Ignored) => false,
        (Some(_), Verdict::FailsIndex) => true,
        (Some(limit), Verdict::Counts) => failures(pod).counted >= limit,
    };
    let failed: Vec<i32> = has_failed(pods).filter(|pod| over(pod)).filter_map(index).collect();
    failed.into_iter()
}

/// Pods without a finalizer were judged before: what they mean to their index stands in the pod that came after them.
fn has_failed(pods: &[Pod]) -> impl Iterator<Item = &Pod> {
    pods.iter().filter(|pod| pod.view.status.phase == "Failed" && has_finalizer(pod))
}

// === impl Last ===

impl<'a> Last<'a> {
    /// Of the pods there are. Empty when the Job counts all failures together.
    pub(super) fn of(job: &Job, pods: &'a [Pod], verdict: impl Fn(&Pod) -> Verdict) -> Self {
        let mut last: BTreeMap<i32, (&Pod, Failures)> = BTreeMap::new();
        if limit_per_index(job).is_none() {
            return Self(last);
        }
        for pod in has_failed(pods) {
            let Some(index) = index(pod) else { continue };
            let mut sum = failures(pod);
            match verdict(pod) {
                Verdict::Ignored => sum.ignored += 1,
                Verdict::Counts | Verdict::FailsIndex => sum.counted += 1,
            }
            let more = |known: &(&Pod, Failures)| {
                sum.counted + sum.ignored > known.1.counted + known.1.ignored
            };
            if last.get(&index).is_none_or(more) {
                last.insert(index, (pod, sum));
            }
        }
        Self(last)
    }

    /// How often pods of an index have failed, and the last one that did.
    pub(super) fn get(&self, index: i32) -> Option<(&'a Pod, Failures)> {
        self.0.get(&index).copied()
    }

    /// Whether a pod has to keep its finalizer although its end is noted: it alone tells how often its index failed, and
    /// no other pod of the index is there yet.
    pub(super) fn holds(&self, pod: &Pod, active: &[Pod], count: &Count) -> bool {
        let Some(index) = index(pod) else { return false };
        let uid = &pod.object.header().uid;
        let is_last = self.0.get(&index).is_some_and(|(last, _)| last.object.header().uid == *uid);
        let done = count.completed.contains(&index) || count.failed_indexes.contains(&index);
        is_last && !done && !active.iter().any(|pod| super::pods::index(pod) == Some(index))
    }
}
