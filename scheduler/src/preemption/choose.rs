//! Of several nodes that room can be made on, the one where it hurts least.

use super::dry_run::Candidate;
use std::cmp::Reverse;

/// Upstream's order: fewest budgets exceeded, then the lowest highest priority of a victim, the least sum of priorities,
/// the fewest victims, and the latest start of the oldest victim of the highest priority.
pub(crate) fn choose(candidates: Vec<Candidate>) -> Option<Candidate> {
    candidates.into_iter().min_by_key(harm)
}

fn harm(candidate: &Candidate) -> (usize, i32, i64, usize, Reverse<i64>) {
    let victims = &candidate.victims;
    let highest = victims.iter().map(|pod| pod.priority).max().unwrap_or(i32::MIN);
    // Moved up, so that a victim of negative priority counts for something too.
    let sum = victims.iter().map(|pod| i64::from(pod.priority) + i64::from(i32::MAX) + 1).sum();
    let most = victims.iter().filter(|pod| pod.priority == highest);
    let oldest = most.map(|pod| pod.started.unwrap_or(i64::MAX)).min().unwrap_or(i64::MAX);
    (candidate.violations, highest, sum, victims.len(), Reverse(oldest))
}
