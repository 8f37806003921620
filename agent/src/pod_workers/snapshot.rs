//! What the runtime has of one pod.

use crate::runtime::{ContainerState, ContainerStatus, SandboxStatus};
use jiff::Timestamp;
use std::time::SystemTime;

/// Seconds that the next start waits after this container's end; kept on the container, so that a new
/// agent waits as the old one would have.
pub(crate) const BACKOFF_ANNOTATION: &str = "windlass.io/restart-backoff-seconds";
/// The image as the pod names it.
pub(crate) const IMAGE_ANNOTATION: &str = "windlass.io/image";
/// The image as status names it.
pub(crate) const IMAGE_ID_ANNOTATION: &str = "windlass.io/image-id";
/// The file on the node that holds the last words.
pub(crate) const MESSAGE_PATH_ANNOTATION: &str = "windlass.io/termination-message-path";
/// `File` or `FallbackToLogsOnError`.
pub(crate) const MESSAGE_POLICY_ANNOTATION: &str = "windlass.io/termination-message-policy";

/// The sandboxes and containers of one pod.
#[derive(Clone, Debug, Default)]
pub(crate) struct PodRuntime {
    /// Newest first.
    pub(crate) sandboxes: Vec<SandboxStatus>,
    /// The last start first.
    pub(crate) containers: Vec<ContainerStatus>,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Timestamp,
    pub(crate) exit_code: i32,
    pub(crate) reason: String,
    pub(crate) message: String,
}

// === impl PodRuntime ===

impl PodRuntime {
    pub(crate) fn new(
        mut sandboxes: Vec<SandboxStatus>,
        mut containers: Vec<ContainerStatus>,
    ) -> Self {
        sandboxes.sort_by_key(|s| std::cmp::Reverse((s.config.attempt, s.created_at)));
        containers.sort_by_key(|c| std::cmp::Reverse((c.attempt, c.created_at)));
        Self { sandboxes, containers }
    }

    /// The sandbox that containers go into.
    pub(crate) fn sandbox(&self) -> Option<&SandboxStatus> {
        self.sandboxes.first().filter(|sandbox| sandbox.ready)
    }

    /// The number of the next sandbox.
    pub(crate) fn next_sandbox(&self) -> u32 {
        self.sandboxes.first().map_or(0, |sandbox| sandbox.config.attempt + 1)
    }

    /// All starts of a container, the last first.
    pub(crate) fn of<'a, 'n: 'a>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a ContainerStatus> + use<'a, 'n> {
        self.containers.iter().filter(move |c| c.name == name)
    }

    /// The last start of a container.
    pub(crate) fn latest(&self, name: &str) -> Option<&ContainerStatus> {
        self.containers.iter().find(|c| c.name == name)
    }

    /// The last start of a container in the sandbox that is in use.
    pub(crate) fn current(&self, name: &str) -> Option<&ContainerStatus> {
        let sandbox = self.sandbox()?;
        self.latest(name).filter(|c| c.sandbox == sandbox.id)
    }

    /// Those that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.containers.iter().filter(|c| is_running(c))
    }

    /// Whether anything of the pod can still run.
    pub(crate) fn is_quiet(&self) -> bool {
        self.running().next().is_none()
    }
}

pub(crate) fn is_running(container: &ContainerStatus) -> bool {
    matches!(container.state, ContainerState::Running { .. })
}

/// How it ended, if it has.
pub(crate) fn ended(container: &ContainerStatus) -> Option<Ended> {
    let ContainerState::Exited { started_at, finished_at, exit_code, reason, message } =
        &container.state
    else {
        return None;
    };
    Some(Ended {
        started_at: started_at.map(timestamp),
        finished_at: timestamp(*finished_at),
        exit_code: *exit_code,
        reason: reason.clone(),
        message: message.clone(),
    })
}

/// Seconds to wait after this container's end.
pub(crate) fn backoff_seconds(container: &ContainerStatus) -> u64 {
    container.annotations.get(BACKOFF_ANNOTATION).and_then(|s| s.parse().ok()).unwrap_or(0)
}

/// The system's time as a timestamp; the ends of the range for what lies outside.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
