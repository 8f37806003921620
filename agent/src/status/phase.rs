//! Where a pod is in its life (Pod lifecycle, "Pod phase").

use crate::pod::{PodExt, RestartPolicy, Role, init_role};
use crate::pod_workers::plan::{Input, Life};
use crate::pod_workers::snapshot::{ended, is_running};
use windlass_core::apis::core::v1::{Pod, PodStatus};

/// No container of a pod in this phase runs again.
pub(crate) fn is_terminal(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

/// Whether the API shows that a pod has ended.
pub(crate) fn is_shown_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase.is_some_and(is_terminal)
}

/// The phase that the containers make, even if some that do not count still run.
pub(crate) fn raw_phase(input: &Input<'_>) -> &'static str {
    let policy = input.pod.restart_policy();
    let mut initialized = true;
    for container in input.pod.init_containers() {
        let role = init_role(container);
        let latest = input.runtime.latest(&container.name);
        let end = latest.and_then(|c| Some((c, ended(c)?)));
        match (role, end) {
            (Role::Sidecar, _) => initialized &= latest.is_some(),
            (_, Some((c, end))) if !input.restarts(c, role, &end) => match end.exit_code {
                0 => {}
                _ => return "Failed",
            },
            _ => initialized = false,
        }
    }
    apps(input, policy, initialized)
}

fn apps(input: &Input<'_>, policy: RestartPolicy, initialized: bool) -> &'static str {
    let (mut waiting, mut running, mut succeeded, mut failed) = (0, 0, 0, 0);
    for container in &input.pod.pod_spec().containers {
        let latest = input.runtime.latest(&container.name);
        match latest {
            Some(c) if is_running(c) || input.stopped_to_start(c) => running += 1,
            Some(c) => match ended(c) {
                Some(end) if end.exit_code == 0 => succeeded += 1,
                Some(_) => failed += 1,
                None if c.attempt > 0 => running += 1,
                None => waiting += 1,
            },
            None => waiting += 1,
        }
    }
    let started = running + succeeded + failed > 0;
    match () {
        () if waiting > 0 || !(initialized || started) => "Pending",
        () if running > 0 || policy == RestartPolicy::Always => "Running",
        () if failed == 0 => "Succeeded",
        () if policy == RestartPolicy::Never => "Failed",
        () => "Running",
    }
}

/// Sets phase, reason and message.
pub(super) fn set(input: &Input<'_>, life: &Life, status: &mut PodStatus) {
    let old = input.pod.status.as_ref().and_then(|s| s.phase.as_deref());
    let last = input.memory.status.phase.as_deref().or(old);
    let mut phase = raw_phase(input);
    if let Life::Ends(why) = life {
        if let Some((reason, message)) = why {
            (status.reason, status.message) = (Some(reason.clone()), Some(message.clone()));
            phase = "Failed";
        } else if input.runtime.is_quiet() && !is_terminal(phase) {
            phase = ended_by_force(input, phase);
        }
    }
    if let Some(terminal) = [last, old].into_iter().flatten().find(|p| is_terminal(p)) {
        phase = if terminal == "Failed" { "Failed" } else { "Succeeded" };
    }
    // The end is told when nothing runs any more, sidecars neither.
    let over = input.runtime.is_quiet() && input.memory.busy.stops.is_empty();
    if is_terminal(phase) && !over {
        phase = if last == Some("Pending") { "Pending" } else { "Running" };
        (status.reason, status.message) = (None, None);
    }
    status.phase = Some(phase.into());
}

/// The phase of a pod that was stopped: what its containers' exit codes make of it.
fn ended_by_force(input: &Input<'_>, phase: &'static str) -> &'static str {
    let mut codes = input
        .pod
        .pod_spec()
        .containers
        .iter()
        .map(|c| input.runtime.latest(&c.name).and_then(ended).map(|end| end.exit_code));
    match codes.try_fold(0, |worst, code| code.map(|code| worst.max(code.abs()))) {
        Some(0) => "Succeeded",
        Some(_) => "Failed",
        None if input.pod.deletion().is_some() || input.memory.gone => "Failed",
        None => phase,
    }
}
