//! Liveness, readiness and startup probes of all pods, on one timer.

mod metrics;
mod state;
mod task;

use crate::handlers::{Action, Patient};
use crate::pod::{PodExt, field_path};
use crate::pod_workers::snapshot::{PodRuntime, timestamp};
use crate::runtime::{ContainerId, ContainerState, Runtime};
use jiff::Timestamp;
use metrics::Counts;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use windlass_core::apis::core::v1::{Container, Pod, Probe};
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::events::{Recorder, Reference};

/// How many changes of what to probe may wait.
const BACKLOG: usize = 1024;

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Startup,
    Liveness,
    Readiness,
}

/// What the probes of a pod have found so far. Only found results are in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodProbes {
    results: BTreeMap<(ContainerId, Kind), bool>,
}

/// A probe of a container that runs.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) patient: Patient,
    pub(crate) action: Action,
    pub(crate) timing: Timing,
    pub(crate) started_at: Timestamp,
    pub(crate) about: Reference,
}

/// When a probe is made, and how many results in a row count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) initial_delay: Duration,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
    pub(crate) success_threshold: u32,
    pub(crate) failure_threshold: u32,
}

/// Called with a pod's uid when its probes found something new.
pub(crate) type Notify = Arc<dyn Fn(&str) + Send + Sync>;

/// The prober. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Prober {
    commands: mpsc::Sender<Command>,
    results: Arc<Mutex<HashMap<String, PodProbes>>>,
    counts: Arc<Counts>,
}

enum Command {
    Set { uid: String, targets: Vec<Target> },
}

// === impl Kind ===

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }

    /// The probe of this kind that a container has.
    pub(crate) fn of(self, container: &Container) -> Option<&Probe> {
        match self {
            Self::Startup => container.startup_probe.as_ref(),
            Self::Liveness => container.liveness_probe.as_ref(),
            Self::Readiness => container.readiness_probe.as_ref(),
        }
    }
}

// === impl PodProbes ===

impl PodProbes {
    fn get(&self, id: &ContainerId, kind: Kind) -> Option<bool> {
        self.results.get(&(id.clone(), kind)).copied()
    }

    pub(crate) fn set(&mut self, id: &ContainerId, kind: Kind, result: bool) {
        self.results.insert((id.clone(), kind), result);
    }

    /// The kind of probe that says a container must be started anew.
    pub(crate) fn failed(&self, id: &ContainerId) -> Option<Kind> {
        [Kind::Startup, Kind::Liveness].into_iter().find(|kind| self.get(id, *kind) == Some(false))
    }

    /// Whether a running container has got over its start.
    pub(crate) fn is_started(&self, container: &Container, id: &ContainerId) -> bool {
        container.startup_probe.is_none() || self.get(id, Kind::Startup) == Some(true)
    }

    /// Whether a started container can do its work.
    pub(crate) fn is_ready(&self, container: &Container, id: &ContainerId) -> bool {
        container.readiness_probe.is_none() || self.get(id, Kind::Readiness) == Some(true)
    }
}

// === impl Timing ===

impl From<&Probe> for Timing {
    fn from(probe: &Probe) -> Self {
        let seconds = |value: Option<i32>, default: u64| {
            let given = value.and_then(|v| u64::try_from(v).ok()).filter(|v| *v > 0);
            Duration::from_secs(given.unwrap_or(default))
        };
        let count = |value: Option<i32>, default: u32| {
            value.and_then(|v| u32::try_from(v).ok()).filter(|v| *v > 0).unwrap_or(default)
        };
        Self {
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            success_threshold: count(probe.success_threshold, 1),
            failure_threshold: count(probe.failure_threshold, 3),
        }
    }
}

/// What is to be probed of a pod now: startup probes first, the others once these have succeeded.
pub(crate) fn targets(
    pod: &Pod,
    runtime: &PodRuntime,
    probes: &PodProbes,
    ip: Option<IpAddr>,
) -> Vec<Target> {
    let mut targets = Vec::new();
    for (role, container) in pod.containers() {
        let Some(status) = runtime.current(&container.name) else { continue };
        let ContainerState::Running { started_at, .. } = &status.state else { continue };
        let kinds: &[Kind] = match probes.is_started(&container, &status.id) {
            false => &[Kind::Startup],
            true => &[Kind::Liveness, Kind::Readiness],
        };
        for kind in kinds {
            let Some(probe) = kind.of(&container) else { continue };
            let container = Arc::new(container.clone().into_owned());
            targets.push(Target {
                kind: *kind,
                action: Action::from(probe),
                timing: Timing::from(probe),
                about: pod.reference(&field_path(role, &container.name)),
                patient: Patient { id: status.id.clone(), container, ip },
                started_at: timestamp(*started_at),
            });
        }
    }
    targets
}

// === impl Prober ===

impl Prober {
    /// A prober that works until shutdown. Needs a tokio runtime.
    pub(crate) fn start(
        runtime: Arc<dyn Runtime>,
        env: Env,
        recorder: Recorder,
        notify: Notify,
        shutdown: Shutdown,
    ) -> Self {
        let (commands, receiver) = mpsc::channel(BACKLOG);
        let results = Arc::<Mutex<HashMap<String, PodProbes>>>::default();
        let counts = Arc::<Counts>::default();
        let found = task::Found { results: results.clone(), counts: counts.clone() };
        let task = task::Task::new(runtime, env, recorder, notify, found);
        tokio::spawn(async move {
            shutdown.run_until_cancelled(task.run(receiver)).await;
        });
        Self { commands, results, counts }
    }

    /// Probes exactly these of a pod from now on.
    pub(crate) async fn set(&self, uid: &str, targets: Vec<Target>) {
        let command = Command::Set { uid: uid.to_owned(), targets };
        if self.commands.send(command).await.is_err() {
            tracing::debug!(uid, "the prober has stopped");
        }
    }

    /// What was found of a pod.
    pub(crate) fn results(&self, uid: &str) -> PodProbes {
        self.results.lock().get(uid).cloned().unwrap_or_default()
    }

    /// Takes over what an earlier agent found of a container that runs: a new agent must not take it out of
    /// service until its own first result.
    pub(crate) fn adopt(&self, uid: &str, id: &ContainerId, started: bool, ready: bool) {
        let mut results = self.results.lock();
        for (kind, held) in [(Kind::Startup, started), (Kind::Readiness, ready)] {
            if held {
                results.entry(uid.to_owned()).or_default().set(id, kind, true);
            }
        }
    }

    /// Forgets what was found of containers that are no more.
    pub(crate) fn retain(&self, uid: &str, known: impl Fn(&ContainerId) -> bool) {
        if let Some(pod) = self.results.lock().get_mut(uid) {
            pod.results.retain(|(id, _), _| known(id));
        }
    }

    /// How often each probe was made, in Prometheus' text format.
    pub(crate) fn metrics(&self) -> String {
        self.counts.render()
    }

    /// Forgets what was found of a pod.
    pub(crate) fn forget(&self, uid: &str) {
        self.counts.forget(uid);
        self.results.lock().remove(uid);
    }
}

#[cfg(test)]
mod tests;
