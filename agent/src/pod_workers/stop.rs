//! Brings a container to its end: hook, signal, grace, force.

use super::effects::Effect;
use super::plan::StopReason;
use crate::handlers::{self, Action, Patient};
use crate::pod::{PodExt, Role};
use crate::runtime::ContainerId;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::events::EventType::{Normal, Warning};

/// What is left for the container when its hook has used up the grace.
const LEAST_GRACE: Duration = Duration::from_secs(2);

/// Which container to stop.
pub(super) struct Stop {
    pub(super) id: ContainerId,
    pub(super) name: String,
    pub(super) role: Role,
    /// When force is used.
    pub(super) until: Timestamp,
    pub(super) why: StopReason,
    /// A slower stop is under way: its hook has begun already.
    pub(super) hurried: bool,
}

impl Stop {
    pub(super) async fn run(self, effect: &Effect) {
        if !self.hurried {
            let message = match self.why {
                StopReason::Unhealthy(kind) => format!(
                    "Container {} failed {} probe, will be restarted",
                    self.name,
                    kind.as_str().to_lowercase()
                ),
                StopReason::Changed => {
                    format!("Container {} definition changed, will be restarted", self.name)
                }
                StopReason::Resized => {
                    format!("Container {} resize requires restart", self.name)
                }
                StopReason::PodEnds | StopReason::SandboxGone => {
                    format!("Stopping container {}", self.name)
                }
            };
            self.event(effect, Normal, "Killing", &message);
            self.pre_stop(effect).await;
        }
        let least = if self.hurried { Duration::ZERO } else { LEAST_GRACE };
        let grace = self.left(effect).max(least.min(effect.pod.grace()));
        if let Err(error) = effect.host.runtime.stop_container(&self.id, grace).await {
            tracing::warn!(pod = effect.pod.full_name(), container = self.name, %error, "can't stop a container");
            let message = format!("error killing container {}: {error}", self.name);
            self.event(effect, Warning, "FailedKillPod", &message);
            // Whoever planned this plans it again at once: not too soon.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn left(&self, effect: &Effect) -> Duration {
        Duration::try_from(self.until.duration_since(effect.host.now())).unwrap_or_default()
    }

    async fn pre_stop(&self, effect: &Effect) {
        let containers = effect.pod.containers();
        let Some((_, container)) = containers.iter().find(|(_, c)| c.name == self.name) else {
            return;
        };
        let hook = container.lifecycle.as_ref().and_then(|l| l.pre_stop.as_ref());
        let Some(hook) = hook else { return };
        let ip = effect.ip();
        let container = Arc::new(container.clone().into_owned());
        let patient = Patient { id: self.id.clone(), container, ip };
        let timeout = self.left(effect);
        let action = Action::from(hook);
        let done = handlers::run(&*effect.host.runtime, &action, &patient, timeout).await;
        if let Err(error) = done {
            let message = format!("PreStopHook failed: {error}");
            self.event(effect, Warning, "FailedPreStopHook", &message);
        }
    }

    fn event(
        &self,
        effect: &Effect,
        kind: windlass_core::events::EventType,
        reason: &str,
        message: &str,
    ) {
        effect.host.container_event(&effect.pod, (self.role, &self.name), kind, reason, message);
    }
}
