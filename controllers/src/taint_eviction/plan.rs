//! Whether and when a pod has to go.

use crate::support::taints::tolerates;
use crate::support::time::until;
use crate::views::{NodeView, Taint, Toleration};
use jiff::Timestamp;
use std::time::Duration;

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays, as far as taints go.
    Stays,
    /// It goes after this time.
    GoesIn(Duration),
    /// It goes now.
    Goes,
}

/// Whether a node has taints that make pods go.
pub(super) fn evicts(node: &NodeView) -> bool {
    node.spec.taints.iter().any(is_no_execute)
}

fn is_no_execute(taint: &Taint) -> bool {
    taint.effect == "NoExecute"
}

/// What becomes of a pod with these tolerations on a node with these taints. `since` is when the pod was first seen under
/// taints that don't say when they were added.
pub(super) fn fate(
    tolerations: &[Toleration],
    taints: &[Taint],
    since: Timestamp,
    now: Timestamp,
) -> Fate {
    let mut first: Option<Duration> = None;
    for taint in taints.iter().filter(|taint| is_no_execute(taint)) {
        let fitting: Vec<_> =
            tolerations.iter().filter(|toleration| tolerates(toleration, taint)).collect();
        if fitting.is_empty() {
            return Fate::Goes;
        }
        // One without a time does not shorten what another with a time says (Kubernetes: the least of all times).
        if let Some(seconds) =
            fitting.iter().filter_map(|toleration| toleration.toleration_seconds).min()
        {
            let added = taint.time_added.as_ref().map_or(since, |time| time.0);
            let left = until(added, seconds.max(0), now);
            first = Some(first.map_or(left, |first| first.min(left)));
        }
    }
    match first {
        None => Fate::Stays,
        Some(Duration::ZERO) => Fate::Goes,
        Some(left) => Fate::GoesIn(left),
    }
}
