//! When a container that ended is started again.

use crate::pod::{RestartPolicy, Role};
use crate::pod_workers::snapshot::{Ended, backoff_seconds, timestamp};
use crate::runtime::ContainerStatus;
use jiff::Timestamp;
use std::time::Duration;

/// The first wait, in seconds.
const FIRST: u64 = 10;
/// The longest wait.
const LAST: u64 = 300;
/// A container that ran for so long has made up for its failures.
const FORGIVEN_AFTER: Duration = Duration::from_secs(600);

/// Whether a container that ended so is started again.
pub(crate) fn should_restart(policy: RestartPolicy, role: Role, exit_code: i32) -> bool {
    match (role, policy) {
        (Role::Ephemeral, _) => false,
        (Role::Sidecar, _) => true,
        (Role::Init, RestartPolicy::Never) => false,
        (Role::Init, _) => exit_code != 0,
        (Role::App, RestartPolicy::Always) => true,
        (Role::App, RestartPolicy::OnFailure) => exit_code != 0,
        (Role::App, RestartPolicy::Never) => false,
    }
}

/// Until when the next start of a container is held back, and for how many seconds in all. `None`: it is not.
pub(crate) fn restart_wait(
    container: &ContainerStatus,
    end: &Ended,
    now: Timestamp,
) -> Option<(Timestamp, u64)> {
    let wait = if forgiven(container, end) { 0 } else { backoff_seconds(container) };
    let until = end.finished_at + Duration::from_secs(wait);
    (until > now).then_some((until, wait))
}

/// The wait after the end of the start that follows this one.
pub(crate) fn next_backoff(container: &ContainerStatus, end: &Ended) -> u64 {
    match backoff_seconds(container) {
        _ if forgiven(container, end) => FIRST,
        wait => (wait * 2).clamp(FIRST, LAST),
    }
}

fn forgiven(container: &ContainerStatus, end: &Ended) -> bool {
    let ran = end.finished_at.duration_since(timestamp(container.created_at));
    ran.unsigned_abs() > FORGIVEN_AFTER
}
