//! What a worker remembers of its pod beside what the runtime shows. All of it may be lost: a new agent
//! finds it out again.

use super::resize::Allocated;
use crate::runtime::{ContainerId, SandboxId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use windlass_core::apis::core::v1::PodStatus;

/// What a worker remembers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    /// The pod does not fit on this node.
    pub(crate) rejected: Option<Rejection>,
    /// Whether the pod's volumes are there.
    pub(crate) volumes: Volumes,
    /// Why there is no sandbox yet.
    pub(crate) sandbox_failure: Option<Failure>,
    /// Why a container does not start.
    pub(crate) waiting: BTreeMap<String, Waiting>,
    /// The last words of containers that ended.
    pub(crate) messages: BTreeMap<ContainerId, String>,
    /// Which cpu and memory the containers were given.
    pub(crate) allocated: Allocated,
    /// Why they have not been given what the pod asks for now.
    pub(crate) resize: Option<Resize>,
    /// Why what they were given does not hold yet.
    pub(crate) resize_failure: Option<Failure>,
    /// The containers that were stopped to be started again, whatever their policy.
    pub(crate) again: BTreeSet<ContainerId>,
    /// Effects that are under way.
    pub(crate) busy: Busy,
    /// That the pod must end: decided once, not taken back.
    pub(crate) ending: Option<Ending>,
    /// The object is gone from the API.
    pub(crate) gone: bool,
    /// Sandbox stopped and volumes taken away after the end.
    pub(crate) cleaned: bool,
    /// The containers for whose restart a BackOff event was recorded.
    pub(crate) announced: BTreeSet<ContainerId>,
    /// The status as it was computed last.
    pub(crate) status: PodStatus,
    /// When the agent first saw the pod.
    pub(crate) start_time: Option<Timestamp>,
}

/// Why a pod may not run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// Why other resources were not given, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resize {
    /// Others have them now.
    Deferred(String),
    /// The node has not so much.
    Infeasible(String),
}

/// Since when a pod must end, and the reason and message to show for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) since: Timestamp,
    pub(crate) why: Option<(String, String)>,
    /// How long it may take, where that is less than the pod asks for.
    pub(crate) grace: Option<Duration>,
}

/// A failure, and how many there were in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) failures: u32,
    pub(crate) retry_at: Timestamp,
    pub(crate) message: String,
}

/// The state of a pod's volumes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Volumes {
    /// Not looked at yet.
    #[default]
    Unknown,
    /// They could not all be made.
    Failed(Failure),
    /// All are there.
    Ready {
        /// What they show has changed.
        stale: bool,
        /// When a token in them must be renewed.
        renew_at: Option<Timestamp>,
    },
}

/// Why a container does not start, in the words of its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    /// What `reason` and `message` become while waiting for the next try.
    pub(crate) later: Option<(&'static str, String)>,
    pub(crate) since: Timestamp,
    pub(crate) failures: u32,
    pub(crate) retry_at: Timestamp,
}

/// Effects that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Busy {
    pub(crate) volumes: bool,
    pub(crate) sandbox: bool,
    pub(crate) resize: bool,
    pub(crate) start: Option<String>,
    /// With the time at which they end by force.
    pub(crate) stops: BTreeMap<ContainerId, Timestamp>,
    pub(crate) removals: BTreeSet<ContainerId>,
    pub(crate) sandbox_removals: BTreeSet<SandboxId>,
    pub(crate) cleanup: bool,
    pub(crate) finish: bool,
}

/// How long a failed image pull waits, and everything else that failed.
pub(crate) const FIRST_RETRY: Duration = Duration::from_secs(10);
/// The longest wait.
pub(crate) const LAST_RETRY: Duration = Duration::from_secs(300);

/// The wait after so many failures in a row, the first being 1.
pub(crate) fn retry_after(failures: u32, first: Duration) -> Duration {
    first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LAST_RETRY)
}

// === impl Memory ===

impl Memory {
    /// The volumes show something else than they should.
    pub(crate) fn volumes_stale(&mut self) {
        if let Volumes::Ready { stale, .. } = &mut self.volumes {
            *stale = true;
        }
    }

    /// What the pod names has changed: what failed for its sake may work now.
    pub(crate) fn references_changed(&mut self, now: Timestamp) {
        self.volumes_stale();
        if let Volumes::Failed(failure) = &mut self.volumes {
            failure.retry_at = now;
        }
        for waiting in self.waiting.values_mut() {
            if waiting.reason == "CreateContainerConfigError" {
                waiting.retry_at = now;
            }
        }
    }
}

impl Ending {
    /// It may take so long from now on, unless it has less. `asked` is what the pod asks for.
    pub(crate) fn hurry(&mut self, now: Timestamp, within: Duration, asked: Duration) {
        let gone = Duration::try_from(now.duration_since(self.since)).unwrap_or_default();
        let has = self.grace.unwrap_or(asked);
        self.grace = Some(has.min(gone + within));
    }
}

impl Failure {
    /// One more failure.
    pub(crate) fn after(
        old: Option<&Self>,
        now: Timestamp,
        first: Duration,
        message: String,
    ) -> Self {
        let failures = old.map_or(0, |f| f.failures) + 1;
        Self { failures, retry_at: now + retry_after(failures, first), message }
    }
}

impl Volumes {
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}
