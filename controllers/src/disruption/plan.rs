//! The status of a budget.

use crate::support::intstr::{Round, scaled};
use crate::support::ops::Op;
use crate::support::time::{time, until};
use crate::views::Pod;
use jiff::Timestamp;
use std::fmt::Display;
use std::time::Duration;
use windlass_core::apis::meta::v1::Condition;
use windlass_core::apis::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetStatus};
use windlass_core::controller::conditions::{condition, set};
use windlass_core::events::Reference;

/// An eviction that was allowed is remembered so long, until the pod is seen to go.
const EVICTION_SECONDS: i64 = 120;

/// How many pods of a budget there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) pods: i32,
    /// Owners were asked, and some pods have none.
    pub(super) unmanaged: bool,
}

/// The status, and when to look again. `pods` are all it selects, `expected` how many their owners want.
pub(super) fn plan(
    budget: &PodDisruptionBudget,
    pods: &[Pod],
    expected: i32,
    now: Timestamp,
) -> (PodDisruptionBudgetStatus, Option<Duration>) {
    let before = budget.status.clone().unwrap_or_default();
    let mut evicted = before.disrupted_pods.clone().unwrap_or_default();
    let left = |at: Timestamp| until(at, EVICTION_SECONDS, now);
    evicted.retain(|name, at| {
        let pod = pods.iter().find(|pod| pod.object.name() == name.as_str());
        pod.is_some_and(|pod| !pod.object.header().deleting) && !left(at.0).is_zero()
    });
    let again = evicted.values().map(|at| left(at.0)).min();
    let healthy = pods.iter().filter(|pod| {
        pod.view.is_active() && pod.view.is_ready() && !evicted.contains_key(pod.object.name())
    });
    let healthy = i32::try_from(healthy.count()).unwrap_or(i32::MAX);
    let desired = desired(budget, expected);
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    let status = PodDisruptionBudgetStatus {
        current_healthy: Some(healthy),
        desired_healthy: Some(desired),
        expected_pods: Some(expected),
        disruptions_allowed: Some(allowed),
        disrupted_pods: Some(evicted).filter(|evicted| !evicted.is_empty()),
        observed_generation: budget.metadata.generation,
        conditions: Some(conditions(budget, allowed > 0, now)),
    };
    (status, again)
}

/// The status while it can't be told how many pods there should be: none of them may go.
pub(super) fn fail_safe(
    budget: &PodDisruptionBudget,
    error: &str,
    now: Timestamp,
) -> PodDisruptionBudgetStatus {
    let mut status = budget.status.clone().unwrap_or_default();
    let generation = status.observed_generation;
    let new = condition("DisruptionAllowed", false, "SyncFailed", error, generation, time(now).0);
    set(status.conditions.get_or_insert_default(), new);
    for number in
        [&mut status.current_healthy, &mut status.desired_healthy, &mut status.expected_pods]
    {
        number.get_or_insert(0);
    }
    PodDisruptionBudgetStatus { disruptions_allowed: Some(0), ..status }
}

/// What is told of a budget when its status changes.
pub(super) fn events(
    about: &Reference,
    selector: &str,
    pods: &[Pod],
    expected: Result<Expected, impl Display>,
) -> Vec<Op> {
    let mut events = vec![];
    if pods.is_empty() {
        events.push(Op::normal(about.clone(), "NoPods", "No matching pods found"));
    }
    match expected {
        Err(error) => events.push(Op::warning(
            about.clone(),
            "CalculateExpectedPodCountFailed",
            format!("Failed to calculate the number of expected pods: {error}"),
        )),
        Ok(Expected { unmanaged: true, .. }) => events.push(Op::warning(
            about.clone(),
            "UnmanagedPods",
            format!(
                "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, \
                 the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for \
                 these pods please set \".spec.minAvailable\" field of the PDB to an integer value."
            ),
        )),
        Ok(_) => {}
    }
    events
}

/// How many pods must stay healthy.
fn desired(budget: &PodDisruptionBudget, expected: i32) -> i32 {
    let Some(spec) = &budget.spec else { return 0 };
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(max), _) => (expected - scaled(max, expected, Round::Up)).max(0),
        (None, Some(min)) => scaled(min, expected, Round::Up),
        (None, None) => 0,
    }
}

fn conditions(budget: &PodDisruptionBudget, allowed: bool, now: Timestamp) -> Vec<Condition> {
    let reason = if allowed { "SufficientPods" } else { "InsufficientPods" };
    let generation = budget.metadata.generation;
    let before = budget.status.as_ref().and_then(|status| status.conditions.clone());
    let mut conditions = before.unwrap_or_default();
    let new = condition("DisruptionAllowed", allowed, reason, "", generation, time(now).0);
    set(&mut conditions, new);
    conditions
}
