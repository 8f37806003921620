//! What is to be done about a pod: a pure function of what is known about it.

mod ending;
mod restart;
mod running;

use restart::{next_backoff, should_restart};

pub(crate) use restart::restart_wait;

use super::memory::Memory;
use super::snapshot::{Ended, PodRuntime};
use crate::pod::{PodExt, Role};
use crate::prober::{Kind, PodProbes};
use crate::runtime::{ContainerId, ContainerStatus, SandboxId};
use crate::status;
use jiff::Timestamp;
use std::net::IpAddr;
use std::time::Duration;
use windlass_core::apis::core::v1::{Pod, PodStatus};

/// All that a decision rests on.
pub(crate) struct Input<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) runtime: &'a PodRuntime,
    pub(crate) memory: &'a Memory,
    pub(crate) probes: &'a PodProbes,
    pub(crate) host_ip: IpAddr,
    /// `oci` of `oci://<id>`.
    pub(crate) runtime_name: &'a str,
    pub(crate) now: Timestamp,
}

/// What to do, what to show, when to look again.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) status: PodStatus,
    pub(crate) wake: Option<Timestamp>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Make the pod's volumes, or bring them up to date.
    MountVolumes,
    /// Make a sandbox.
    RunSandbox { attempt: u32 },
    /// Give what runs the limits that it should have.
    Resize,
    /// Stop and remove a sandbox that is of no more use.
    RemoveSandbox(SandboxId),
    /// Get a container to run.
    Start { name: String, role: Role, attempt: u32, backoff: u64 },
    /// Give up what a start waits for: its image or its hook.
    CancelStart,
    /// Bring a container to its end.
    Stop { id: ContainerId, name: String, role: Role, until: Timestamp, why: StopReason },
    /// Forget a container that ended.
    RemoveContainer(ContainerId),
    /// Tell that a restart is being held back.
    AnnounceBackoff { id: ContainerId, name: String, role: Role },
    /// Give back network, volumes and mounts; the containers' ends and logs stay.
    Cleanup,
    /// The pod can go from the API, and then all that is left of it here.
    Finish,
}

/// Why a container is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The pod ends.
    PodEnds,
    /// Its probe of this kind failed.
    Unhealthy(Kind),
    /// Its sandbox is gone.
    SandboxGone,
    /// The pod wants another image now.
    Changed,
    /// It gets other resources, and wants to be started again for that.
    Resized,
}

impl StopReason {
    /// Whether the container is stopped so that it starts again at once.
    pub(crate) fn starts_again(&self) -> bool {
        matches!(self, Self::Changed | Self::Resized)
    }
}

/// What happens to the pod as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It runs, or is getting there.
    Runs,
    /// All must end; what remains in status is this reason and message.
    Ends(Option<(String, String)>),
}

// === impl Input ===

impl Input<'_> {
    /// Whether a container that ended so is started again.
    pub(crate) fn restarts(&self, container: &ContainerStatus, role: Role, end: &Ended) -> bool {
        let policy = self.pod.restart_policy();
        self.stopped_to_start(container) || should_restart(policy, role, end.exit_code)
    }

    /// Whether it was stopped only to be started again: how it ended does not count.
    pub(crate) fn stopped_to_start(&self, container: &ContainerStatus) -> bool {
        self.memory.again.contains(&container.id)
    }
}

pub(crate) fn plan(input: &Input<'_>) -> Plan {
    let mut plan = Plan::default();
    let life = life(input);
    match &life {
        Life::Runs => running::plan(input, &mut plan),
        Life::Ends(_) => ending::plan(input, &mut plan),
    }
    plan.status = status::generate(input, &life);
    plan.look_at(status::next_change(input));
    if let Some(deadline) = active_deadline(input).filter(|_| life == Life::Runs) {
        plan.look_at(Some(deadline));
    }
    plan
}

/// Whether the pod goes on.
pub(crate) fn life(input: &Input<'_>) -> Life {
    let memory = input.memory;
    if let Some(rejection) = &memory.rejected {
        return Life::Ends(Some((rejection.reason.clone(), rejection.message.clone())));
    }
    // What was told stays told.
    let told = [Some(&memory.status), input.pod.status.as_ref()].into_iter().flatten();
    let mut over = told.filter(|s| s.phase.as_deref().is_some_and(status::is_terminal));
    if let Some(status) = over.next() {
        let message = status.message.clone().unwrap_or_default();
        return Life::Ends(status.reason.clone().map(|reason| (reason, message)));
    }
    if let Some(ending) = &memory.ending {
        return Life::Ends(ending.why.clone());
    }
    if status::is_terminal(status::raw_phase(input)) {
        return Life::Ends(None);
    }
    if active_deadline(input).is_some_and(|deadline| deadline <= input.now) {
        let message = "Pod was active on the node longer than the specified deadline";
        return Life::Ends(Some(("DeadlineExceeded".into(), message.into())));
    }
    if memory.gone || input.pod.deletion().is_some() {
        return Life::Ends(None);
    }
    Life::Runs
}

fn active_deadline(input: &Input<'_>) -> Option<Timestamp> {
    let seconds = input.pod.pod_spec().active_deadline_seconds?;
    let start = input.memory.start_time?;
    Some(start + Duration::from_secs(seconds.max(0).unsigned_abs()))
}

// === impl Plan ===

impl Plan {
    pub(crate) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Look again at this time at the latest.
    pub(crate) fn look_at(&mut self, at: Option<Timestamp>) {
        self.wake = match (self.wake, at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

#[cfg(test)]
mod tests;
