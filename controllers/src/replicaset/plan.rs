//! How many pods to make, which to delete, what the status is.

use super::set::Set;
use crate::support::pods::{deletion_order, ranks};
use crate::support::time::{time, until};
use crate::views::Pod;
use jiff::Timestamp;
use std::time::Duration;
use windlass_core::apis::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use windlass_core::meta::Str;

/// No more than so many pods are made or deleted at once.
pub(super) const BURST: usize = 500;

/// What to do about the number of pods.
#[derive(Debug, Default)]
pub(crate) struct Scale {
    /// So many new ones.
    pub(crate) create: usize,
    /// Away with these.
    pub(crate) delete: Vec<Pod>,
}

/// What is to be said of the set after an attempt to scale it.
pub(super) enum Outcome<'a> {
    /// All went well, or nothing was to be done.
    Fine,
    /// Pods could not be made (true) or deleted (false).
    Failed(bool, &'a str),
}

/// Compares the pods that count with the number that is asked for. `pods` are all that the set owns.
pub(crate) fn scale(set: &Set, pods: &[Pod]) -> Scale {
    let active: Vec<Pod> = pods.iter().filter(|pod| pod.view.is_active()).cloned().collect();
    let wanted = set.replicas();
    if set.is_deleting() {
        return Scale::default();
    }
    if active.len() <= wanted {
        return Scale { create: (wanted - active.len()).min(BURST), delete: vec![] };
    }
    let surplus = (active.len() - wanted).min(BURST);
    Scale { create: 0, delete: first_to_go(active, surplus) }
}

fn first_to_go(pods: Vec<Pod>, count: usize) -> Vec<Pod> {
    if count == pods.len() {
        return pods;
    }
    let ranks = ranks(&pods);
    let mut order: Vec<_> = pods.into_iter().zip(ranks).collect();
    order.sort_by(|a, b| deletion_order((&a.0, a.1), (&b.0, b.1)));
    order.into_iter().take(count).map(|(pod, _)| pod).collect()
}

/// The status that these pods make.
pub(super) fn status(
    set: &Set,
    pods: &[Pod],
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> ReplicaSetStatus {
    let count = |takes: &dyn Fn(&&Pod) -> bool| {
        let found = pods.iter().filter(|pod| pod.view.is_active()).filter(takes).count();
        i32::try_from(found).unwrap_or(i32::MAX)
    };
    let some = |number: i32| Some(number).filter(|number| *number > 0);
    let min_ready = set.spec.min_ready_seconds;
    let terminating = pods.iter().filter(|pod| pod.view.is_terminating()).count();
    ReplicaSetStatus {
        replicas: count(&|_| true),
        fully_labeled_replicas: some(count(&|pod| {
            is_fully_labeled(set, &pod.object.header().labels)
        })),
        ready_replicas: some(count(&|pod| pod.view.is_ready())),
        available_replicas: some(count(&|pod| pod.view.is_available(min_ready, now))),
        terminating_replicas: Some(i32::try_from(terminating).unwrap_or(i32::MAX)),
        observed_generation: set.metadata.generation,
        conditions: conditions(set, outcome, now),
    }
}

fn is_fully_labeled(set: &Set, labels: &[(Str, Str)]) -> bool {
    let template = set.spec.template.metadata.as_ref().and_then(|meta| meta.labels.as_ref());
    template.into_iter().flatten().all(|(key, value)| {
        labels.iter().any(|(name, found)| **name == **key && **found == **value)
    })
}

fn conditions(
    set: &Set,
    outcome: &Outcome<'_>,
    now: Timestamp,
) -> Option<Vec<ReplicaSetCondition>> {
    let before = set.status.conditions.iter().flatten().cloned();
    let mut conditions: Vec<_> = before.collect();
    match outcome {
        Outcome::Fine => conditions.retain(|condition| condition.type_ != "ReplicaFailure"),
        Outcome::Failed(..) if conditions.iter().any(|c| c.type_ == "ReplicaFailure") => {}
        Outcome::Failed(creating, message) => conditions.push(ReplicaSetCondition {
            type_: "ReplicaFailure".into(),
            status: "True".into(),
            reason: Some(if *creating { "FailedCreate" } else { "FailedDelete" }.into()),
            message: Some((*message).into()),
            last_transition_time: Some(time(now)),
        }),
    }
    Some(conditions).filter(|conditions| !conditions.is_empty())
}

/// When the next pod becomes available by the passing of time alone.
pub(super) fn next_available(set: &Set, pods: &[Pod], now: Timestamp) -> Option<Duration> {
    let seconds = set.spec.min_ready_seconds;
    let waiting =
        pods.iter().filter(|pod| pod.view.is_active() && !pod.view.is_available(seconds, now));
    waiting
        .filter_map(|pod| pod.view.ready_since())
        .map(|since| until(since, i64::from(seconds), now))
        .min()
}
