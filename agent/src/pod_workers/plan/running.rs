//! A pod on its way up, or running.

use super::{Input, Plan, Step, StopReason, next_backoff, restart_wait};
use crate::pod::{PodExt, Role, init_role};
use crate::pod_workers::memory::Volumes;
use crate::pod_workers::resize::{self, Change};
use crate::pod_workers::snapshot::{IMAGE_ANNOTATION, backoff_seconds, ended, is_running};
use crate::prober::Kind;
use crate::runtime::{ContainerState, ContainerStatus};
use std::time::Duration;
use windlass_core::apis::core::v1::Container;

pub(super) fn plan(input: &Input<'_>, plan: &mut Plan) {
    if !volumes(input, plan) || !sandbox(input, plan) {
        return;
    }
    stop_unhealthy(input, plan);
    resize_running(input, plan);
    remove_old(input, plan);
    let mut starter = Starter { input, plan, free: input.memory.busy.start.is_none() };
    starter.ephemeral();
    if starter.init() {
        for container in &input.pod.pod_spec().containers {
            starter.keep(container, Role::App);
        }
    }
}

/// Whether the volumes are there; else, or when they must change, what to do about it.
fn volumes(input: &Input<'_>, plan: &mut Plan) -> bool {
    let (ready, due) = match &input.memory.volumes {
        Volumes::Unknown => (false, Some(input.now)),
        Volumes::Failed(failure) => (false, Some(failure.retry_at)),
        Volumes::Ready { stale: true, .. } => (true, Some(input.now)),
        Volumes::Ready { renew_at, .. } => (true, *renew_at),
    };
    match due {
        Some(_) if input.memory.busy.volumes => {}
        Some(due) if due <= input.now => plan.step(Step::MountVolumes),
        due => plan.look_at(due),
    }
    ready
}

/// Whether there is a sandbox; else what to do about it.
fn sandbox(input: &Input<'_>, plan: &mut Plan) -> bool {
    let current = input.runtime.sandbox();
    for old in &input.runtime.sandboxes {
        let is_current = current.is_some_and(|c| c.id == old.id);
        // Its containers tell the restart counts until each has its place in the new one.
        let needed = current.is_none() || !all_started(input);
        if !is_current && !needed && !input.memory.busy.sandbox_removals.contains(&old.id) {
            plan.step(Step::RemoveSandbox(old.id.clone()));
        }
    }
    if current.is_some() {
        return true;
    }
    let orphans: Vec<_> = input.runtime.running().collect();
    for container in &orphans {
        stop(input, plan, container, StopReason::SandboxGone);
    }
    if !orphans.is_empty() || input.memory.busy.sandbox {
        return false;
    }
    match &input.memory.sandbox_failure {
        Some(failure) if failure.retry_at > input.now => plan.look_at(Some(failure.retry_at)),
        _ => plan.step(Step::RunSandbox { attempt: input.runtime.next_sandbox() }),
    }
    false
}

fn all_started(input: &Input<'_>) -> bool {
    input.pod.pod_spec().containers.iter().all(|c| input.runtime.current(&c.name).is_some())
}

fn stop_unhealthy(input: &Input<'_>, plan: &mut Plan) {
    let containers = input.pod.containers();
    for container in input.runtime.running() {
        let wanted = containers.iter().find(|(_, c)| c.name == container.name);
        let wanted = wanted.and_then(|(_, c)| c.image.as_ref());
        if container.annotations.get(IMAGE_ANNOTATION).is_some_and(|has| Some(has) != wanted) {
            stop(input, plan, container, StopReason::Changed);
            continue;
        }
        if let Some(kind) = input.probes.failed(&container.id) {
            stop(input, plan, container, StopReason::Unhealthy(kind));
        }
    }
}

/// Gives containers the resources that the pod was given for them.
fn resize_running(input: &Input<'_>, plan: &mut Plan) {
    let busy = &input.memory.busy;
    // The group of the pod has what all of them have, also those that start again for it.
    let mut in_place = input.runtime.sandbox().is_some_and(|s| resize::pod_lags(input.pod, s));
    for container in input.runtime.running().filter(|c| !busy.stops.contains_key(&c.id)) {
        match resize::change(input.pod, container) {
            Some(Change::Restart) => stop(input, plan, container, StopReason::Resized),
            Some(Change::InPlace) => in_place = true,
            None => {}
        }
    }
    match &input.memory.resize_failure {
        _ if !in_place || busy.resize => {}
        Some(failure) if failure.retry_at > input.now => plan.look_at(Some(failure.retry_at)),
        _ => plan.step(Step::Resize),
    }
}

/// Stops a container unless that is under way.
fn stop(input: &Input<'_>, plan: &mut Plan, container: &ContainerStatus, why: StopReason) {
    let probe = match why {
        StopReason::Unhealthy(kind) => probe_grace(input, &container.name, kind),
        _ => None,
    };
    let until = input.now + probe.unwrap_or_else(|| input.pod.grace());
    stop_until(input, plan, container, why, until);
}

/// The grace that a probe gives, where it does.
fn probe_grace(input: &Input<'_>, name: &str, kind: Kind) -> Option<Duration> {
    let containers = input.pod.containers();
    let (_, container) = containers.iter().find(|(_, c)| c.name == name)?;
    let seconds = kind.of(container)?.termination_grace_period_seconds?;
    Some(Duration::from_secs(seconds.max(1).unsigned_abs()))
}

pub(super) fn stop_until(
    input: &Input<'_>,
    plan: &mut Plan,
    container: &ContainerStatus,
    why: StopReason,
    until: jiff::Timestamp,
) {
    let busy = input.memory.busy.stops.get(&container.id);
    // A stop that is under way is only ever hurried.
    if busy.is_some_and(|under_way| *under_way <= until + Duration::from_secs(1)) {
        return;
    }
    let roles = input.pod.containers();
    let role = roles.iter().find(|(_, c)| c.name == container.name).map_or(Role::App, |(r, _)| *r);
    let (id, name) = (container.id.clone(), container.name.clone());
    plan.step(Step::Stop { id, name, role, until, why });
}

/// Of each container its last two starts are kept: the one before is what `logs --previous` shows.
fn remove_old(input: &Input<'_>, plan: &mut Plan) {
    for (_, container) in input.pod.containers() {
        for old in input.runtime.of(&container.name).skip(2) {
            if ended(old).is_some() && !input.memory.busy.removals.contains(&old.id) {
                plan.step(Step::RemoveContainer(old.id.clone()));
            }
        }
    }
}

struct Starter<'a, 'p> {
    input: &'a Input<'a>,
    plan: &'p mut Plan,
    /// One container of a pod starts at a time, in order.
    free: bool,
}

impl Starter<'_, '_> {
    fn ephemeral(&mut self) {
        for container in self.input.pod.pod_spec().ephemeral_containers.iter().flatten() {
            if self.input.runtime.latest(&container.name).is_none() {
                self.start(&container.name, Role::Ephemeral, 0, 0);
            }
        }
    }

    /// Brings the init containers forward; whether the app containers may start.
    fn init(&mut self) -> bool {
        let runtime = self.input.runtime;
        let apps = &self.input.pod.pod_spec().containers;
        let initialized = apps.iter().any(|c| runtime.current(&c.name).is_some());
        for container in self.input.pod.init_containers() {
            let role = init_role(container);
            let done = match role {
                Role::Sidecar => self.sidecar_up(container),
                _ => initialized || self.completed(container),
            };
            if !done {
                self.keep(container, role);
                if !initialized {
                    return false;
                }
            }
        }
        true
    }

    fn sidecar_up(&self, container: &Container) -> bool {
        self.input.runtime.current(&container.name).is_some_and(|status| {
            is_running(status)
                && self.input.memory.busy.start.as_deref() != Some(&container.name)
                && self.input.probes.is_started(container, &status.id)
        })
    }

    fn completed(&self, container: &Container) -> bool {
        let current = self.input.runtime.current(&container.name);
        let current = current.filter(|c| !self.input.stopped_to_start(c));
        current.and_then(ended).is_some_and(|end| end.exit_code == 0)
    }

    /// Starts a container that does not run but should.
    fn keep(&mut self, container: &Container, role: Role) {
        let input = self.input;
        let attempt = input.runtime.latest(&container.name).map_or(0, |c| c.attempt + 1);
        let Some(current) = input.runtime.current(&container.name) else {
            return self.start(&container.name, role, attempt, 0);
        };
        if current.state == ContainerState::Created {
            // A start that an earlier agent did not finish.
            return self.start(&container.name, role, current.attempt, 0);
        }
        let Some(end) = ended(current) else { return };
        if !input.restarts(current, role, &end) {
            return;
        }
        if input.stopped_to_start(current) {
            return self.start(&container.name, role, attempt, backoff_seconds(current));
        }
        if let Some((until, _)) = restart_wait(current, &end, input.now) {
            self.plan.look_at(Some(until));
            if !input.memory.announced.contains(&current.id) {
                let (id, name) = (current.id.clone(), container.name.clone());
                self.plan.step(Step::AnnounceBackoff { id, name, role });
            }
            return;
        }
        self.start(&container.name, role, attempt, next_backoff(current, &end));
    }

    fn start(&mut self, name: &str, role: Role, attempt: u32, backoff: u64) {
        if let Some(waiting) = self.input.memory.waiting.get(name)
            && waiting.retry_at > self.input.now
        {
            return self.plan.look_at(Some(waiting.retry_at));
        }
        if self.free {
            self.free = false;
            self.plan.step(Step::Start { name: name.into(), role, attempt, backoff });
        }
    }
}
