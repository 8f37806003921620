//! A pod on its way down.

use super::running::stop_until;
use super::{Input, Plan, Step, StopReason};
use crate::pod::{PodExt, Role, init_role};
use crate::runtime::ContainerStatus;
use jiff::Timestamp;

pub(super) fn plan(input: &Input<'_>, plan: &mut Plan) {
    let until = deadline(input);
    for container in next_to_stop(input) {
        stop_until(input, plan, container, StopReason::PodEnds, until);
    }
    let busy = &input.memory.busy;
    if busy.start.is_some() {
        plan.step(Step::CancelStart);
    }
    let under_way = busy.start.is_some() || busy.sandbox || busy.volumes || busy.cleanup;
    if under_way || !input.runtime.is_quiet() || !busy.stops.is_empty() {
        return;
    }
    if !input.memory.cleaned {
        return plan.step(Step::Cleanup);
    }
    let leaves = input.memory.gone || input.pod.deletion().is_some();
    if leaves && !busy.finish {
        plan.step(Step::Finish);
    }
}

/// When the last container must have ended.
fn deadline(input: &Input<'_>) -> Timestamp {
    let since = input.memory.ending.as_ref().map_or(input.now, |ending| ending.since);
    let given = input.memory.ending.as_ref().and_then(|ending| ending.grace);
    let own = since + given.unwrap_or_else(|| input.pod.grace());
    match input.pod.deletion() {
        Some(deletion) => deletion.min(own).max(input.now),
        None => own.max(input.now),
    }
}

/// App containers end first, together; then the sidecars one by one, the last started first (KEP-753).
fn next_to_stop<'a>(input: &'a Input<'_>) -> Vec<&'a ContainerStatus> {
    let sidecars: Vec<_> =
        input.pod.init_containers().iter().filter(|c| init_role(c) == Role::Sidecar).collect();
    let is_sidecar = |c: &ContainerStatus| sidecars.iter().any(|s| s.name == c.name);
    let others: Vec<_> = input.runtime.running().filter(|c| !is_sidecar(c)).collect();
    if !others.is_empty() {
        return others;
    }
    let last =
        sidecars.iter().rev().find_map(|s| input.runtime.running().find(|c| c.name == s.name));
    last.into_iter().collect()
}
