//! Gets a container to run: image, configuration, creation, start, hook.

use super::container_config::container_config;
use super::effects::Effect;
use super::image_volumes;
use super::images;
use super::memory::{FIRST_RETRY, Waiting, retry_after};
use crate::handlers::{self, Action, Patient};
use crate::images::ImageStatus;
use crate::pod::{PodExt, Role};
use crate::runtime::{ContainerId, ContainerState};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use windlass_core::apis::core::v1::Container;
use windlass_core::events::EventType::{Normal, Warning};

/// A hook that says nothing else may take so long.
const HOOK_TIMEOUT: Duration = Duration::from_secs(600);

/// Which container to start.
pub(super) struct Start {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) attempt: u32,
    /// Seconds to wait after this start's end.
    pub(super) backoff: u64,
    /// How the try before went.
    pub(super) failed: Option<Waiting>,
}

impl Start {
    pub(super) async fn run(
        &self,
        effect: &Effect,
        cancel: &CancellationToken,
    ) -> Result<(), Waiting> {
        let containers = effect.pod.containers();
        let Some((_, container)) = containers.iter().find(|(_, c)| c.name == self.name) else {
            return Ok(());
        };
        let image = self.images(effect, container);
        let Some(image) = cancel.run_until_cancelled(image).await else { return Ok(()) };
        let image = image?;
        let config = container_config(effect, self, container, &image).await;
        let config = config.map_err(|error| {
            // What is missing may come at any time, and rings then.
            let waiting = self.waiting("CreateContainerConfigError", error.to_string(), effect);
            Waiting { failures: 1, retry_at: waiting.since + FIRST_RETRY, ..waiting }
        })?;
        let id = self.create(effect, config).await?;
        self.event(effect, Normal, "Created", &format!("Created container: {}", self.name));
        if let Err(error) = effect.host.runtime.start_container(&id).await {
            self.event(effect, Warning, "Failed", &format!("Error: {error}"));
            return self.not_started(effect, &id, error.to_string()).await;
        }
        self.event(effect, Normal, "Started", &format!("Started container {}", self.name));
        // Its state can be seen while the hook runs.
        effect.host.refresh().await;
        if cancel.run_until_cancelled(self.post_start(effect, container, &id)).await.is_none() {
            tracing::debug!(container = self.name, "the pod ends while a postStart hook runs");
        }
        Ok(())
    }

    /// The container's own, once those of its volumes are there too.
    async fn images(&self, effect: &Effect, container: &Container) -> Result<ImageStatus, Waiting> {
        let image = container.image.as_deref().unwrap_or_default();
        let policy = container.image_pull_policy.as_deref();
        let image = images::ensure(effect, self, image, policy).await?;
        image_volumes::mount(effect, self, container).await?;
        Ok(image)
    }

    async fn create(
        &self,
        effect: &Effect,
        config: crate::runtime::ContainerConfig,
    ) -> Result<ContainerId, Waiting> {
        let failed = |error: &dyn std::fmt::Display| {
            self.event(effect, Warning, "Failed", &format!("Error: {error}"));
            self.waiting("CreateContainerError", error.to_string(), effect)
        };
        let sandbox = effect.runtime.sandbox().ok_or_else(|| failed(&"the sandbox is gone"))?;
        if let Some(dir) = config.log_path.parent() {
            tokio::fs::create_dir_all(dir).await.map_err(|e| failed(&e))?;
        }
        for left in effect.runtime.of(&self.name).filter(|c| c.state == ContainerState::Created) {
            effect.host.runtime.remove_container(&left.id).await.map_err(|e| failed(&e))?;
        }
        effect.host.runtime.create_container(&sandbox.id, config).await.map_err(|e| failed(&e))
    }

    /// A program that can't be executed has ended; everything else is tried again.
    async fn not_started(
        &self,
        effect: &Effect,
        id: &ContainerId,
        error: String,
    ) -> Result<(), Waiting> {
        effect.host.refresh().await;
        let pod = effect.host.cache.pod(effect.pod.uid());
        let container = pod.containers.iter().find(|c| c.id == *id);
        if container.is_some_and(|c| matches!(c.state, ContainerState::Exited { .. })) {
            return Ok(());
        }
        if let Err(error) = effect.host.runtime.remove_container(id).await {
            tracing::warn!(container = id.0, %error, "can't remove a container that did not start");
        }
        Err(self.waiting("RunContainerError", error, effect))
    }

    async fn post_start(&self, effect: &Effect, container: &Container, id: &ContainerId) {
        let hook = container.lifecycle.as_ref().and_then(|l| l.post_start.as_ref());
        let Some(hook) = hook else { return };
        let ip = effect.ip();
        let container = Arc::new(container.clone());
        let patient = Patient { id: id.clone(), container, ip };
        let runtime = &*effect.host.runtime;
        let done = handlers::run(runtime, &Action::from(hook), &patient, HOOK_TIMEOUT).await;
        if let Err(error) = done {
            let message = format!("PostStartHook failed: {error}");
            self.event(effect, Warning, "FailedPostStartHook", &message);
            let message = format!("FailedPostStartHook: Container {} will be killed", self.name);
            self.event(effect, Normal, "Killing", &message);
            if let Err(error) = runtime.stop_container(id, effect.pod.grace()).await {
                tracing::warn!(container = id.0, %error, "can't stop a container after its hook failed");
            }
        }
    }

    pub(super) fn event(
        &self,
        effect: &Effect,
        kind: windlass_core::events::EventType,
        reason: &str,
        message: &str,
    ) {
        effect.host.container_event(&effect.pod, (self.role, &self.name), kind, reason, message);
    }

    /// One more failure of this kind.
    pub(super) fn waiting(
        &self,
        reason: &'static str,
        message: String,
        effect: &Effect,
    ) -> Waiting {
        if reason == "CreateContainerConfigError" {
            self.event(effect, Warning, "Failed", &format!("Error: {message}"));
        }
        let same = self.failed.as_ref().filter(|old| old.reason == reason);
        let failures = same.map_or(0, |old| old.failures) + 1;
        let since: Timestamp = effect.host.now();
        let retry_at = since + retry_after(failures, FIRST_RETRY);
        Waiting { reason, message, later: None, since, failures, retry_at }
    }
}
