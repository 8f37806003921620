//! What a worker does: each effect runs beside the worker and reports when it is done.

use super::host::Host;
use super::memory::Waiting;
use super::resize::Changes;
use super::sandbox_config::sandbox_config;
use super::snapshot::PodRuntime;
use super::start::Start;
use super::stop::Stop;
use crate::dns;
use crate::pod::PodExt;
use crate::runtime::{self, ContainerId, SandboxId, SandboxStatus};
use jiff::Timestamp;
use serde_json::Value;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use windlass_core::apis::core::v1::Pod;
use windlass_core::apis::node::v1::RuntimeClass;
use windlass_core::client::{DeleteOptions, Key, Patch, WriteOptions};
use windlass_core::scheme::{PODS, RUNTIMECLASSES};
use windlass_core::{Error, Object};

/// How long a removal that failed rests: whoever planned it plans it again as soon as it is told.
const REMOVAL_RETRY: Duration = Duration::from_secs(5);

/// How long a write of a status may take.
const STATUS_WRITE: Duration = Duration::from_secs(30);

/// What was done.
pub(super) enum Outcome {
    Volumes(Result<Option<Timestamp>, String>),
    Sandbox(Result<(), String>),
    Resized(Result<(), String>),
    SandboxRemoved(SandboxId),
    Started { name: String, result: Result<(), Waiting> },
    Stopped(ContainerId),
    Removed(ContainerId),
    Cleaned(Result<(), String>),
    Status(Result<Arc<Object>, Error>),
    Finished(Result<(), String>),
}

/// What an effect works on.
pub(super) struct Effect {
    pub(super) host: Arc<Host>,
    pub(super) pod: Arc<Pod>,
    pub(super) runtime: Arc<PodRuntime>,
}

/// Writes a pod's status.
pub(super) async fn write_status(host: Arc<Host>, pod: Arc<Pod>, patch: Value) -> Outcome {
    let key = Key::new(PODS, pod.namespace(), pod.name()).subresource("status");
    let options = WriteOptions::manager("kubelet");
    let written = host.client.patch(&key, Patch::strategic(&patch), &options);
    // One that hangs would keep all later ones back.
    let written = tokio::time::timeout(STATUS_WRITE, written).await;
    let late = |_| Err(Error::Transport("the API server does not answer".into()));
    Outcome::Status(written.unwrap_or_else(late))
}

impl Effect {
    pub(super) async fn mount(self) -> Outcome {
        let mounted = self.host.volumes.mount(&self.pod).await;
        Outcome::Volumes(mounted)
    }

    pub(super) async fn run_sandbox(self, attempt: u32) -> Outcome {
        let result = self.try_sandbox(attempt).await;
        if let Err(message) = &result {
            let message = format!("Failed to create pod sandbox: {message}");
            self.host.pod_warning(&self.pod, "FailedCreatePodSandBox", &message);
        }
        self.host.refresh().await;
        Outcome::Sandbox(result)
    }

    /// Gives the pod's containers the limits they should have: the pod first where that is more, last where it is less.
    pub(super) async fn resize(self) -> Outcome {
        let result = self.try_resize().await;
        self.host.refresh().await;
        Outcome::Resized(result)
    }

    async fn try_resize(&self) -> Result<(), String> {
        let Some(sandbox) = self.runtime.sandbox() else { return Ok(()) };
        let changes = Changes::of(&self.pod, sandbox, &self.runtime);
        if changes.lower_memory() {
            let all = self.host.runtime.usage().await.map_err(|e| e.to_string())?;
            let own = all.into_iter().find(|usage| usage.id == sandbox.id);
            changes.check(&own.ok_or("what the pod uses can't be seen")?)?;
        }
        self.apply(sandbox, changes).await.map_err(|e| e.to_string())
    }

    async fn apply(&self, sandbox: &SandboxStatus, new: Changes<'_>) -> runtime::Result<()> {
        let runtime = &self.host.runtime;
        let widest = new.pod.widest(&sandbox.config.resources);
        runtime.update_sandbox(&sandbox.id, widest).await?;
        for (status, limits) in new.containers {
            runtime.update_container(&status.id, limits).await?;
        }
        runtime.update_sandbox(&sandbox.id, new.pod).await
    }

    async fn try_sandbox(&self, attempt: u32) -> Result<(), String> {
        let resolver = tokio::fs::read_to_string(&self.host.config.resolv_conf).await;
        let resolver = resolver.unwrap_or_else(|error| {
            tracing::warn!(%error, "can't read the node's resolver configuration");
            String::new()
        });
        // Without one of its own a pod that asks for it would have more rights on the node than it thinks.
        if self.pod.pod_spec().host_users == Some(false) {
            return Err("this node has no user namespaces for pods (hostUsers: false)".into());
        }
        let handler = self.handler().await?;
        let config = sandbox_config(&self.pod, &self.host.config, &resolver, handler, attempt);
        let logs = self.logs_dir();
        tokio::fs::create_dir_all(&logs).await.map_err(|e| format!("{}: {e}", logs.display()))?;
        let status = self.host.runtime.run_sandbox(config).await.map_err(|e| e.to_string())?;
        self.write_hosts(&status.ips).await.map_err(|e| format!("hosts file: {e}"))
    }

    /// The handler of the pod's RuntimeClass; empty without one.
    async fn handler(&self) -> Result<String, String> {
        let name = self.pod.pod_spec().runtime_class_name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return Ok(String::new());
        }
        let found = self.host.references.get(self.pod.uid(), RUNTIMECLASSES, "", name).await;
        let class = found.map_err(|e| e.to_string())?.ok_or_else(|| {
            format!("failed to get runtime class: RuntimeClass.node.k8s.io \"{name}\" not found")
        })?;
        let class = class.view::<RuntimeClass>().map_err(|e| e.to_string())?;
        Ok(class.handler)
    }

    async fn write_hosts(&self, ips: &[IpAddr]) -> std::io::Result<()> {
        let host = match self.pod.pod_spec().host_network {
            Some(true) => Some(tokio::fs::read_to_string("/etc/hosts").await?),
            _ => None,
        };
        let text = dns::hosts(&self.pod, &self.host.config, ips, host.as_deref());
        let dir = self.host.config.pod_dir(self.pod.uid());
        tokio::fs::create_dir_all(&dir).await?;
        tokio::fs::write(dir.join("etc-hosts"), text).await
    }

    /// The pod's address.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        match self.pod.pod_spec().host_network {
            Some(true) => Some(self.host.config.node_ip),
            _ => self.runtime.sandbox().and_then(|sandbox| sandbox.ips.first().copied()),
        }
    }

    pub(super) fn logs_dir(&self) -> PathBuf {
        let pod = &self.pod;
        self.host.config.pod_logs_dir(pod.namespace(), pod.name(), pod.uid())
    }

    pub(super) async fn remove_sandbox(self, id: SandboxId) -> Outcome {
        if let Err(error) = self.host.runtime.remove_sandbox(&id).await {
            tracing::warn!(pod = self.pod.full_name(), %error, "can't remove an old sandbox");
            tokio::time::sleep(REMOVAL_RETRY).await;
        }
        self.host.refresh().await;
        Outcome::SandboxRemoved(id)
    }

    pub(super) async fn start(self, start: Start, cancel: CancellationToken) -> Outcome {
        let name = start.name.clone();
        let result = start.run(&self, &cancel).await;
        self.host.refresh().await;
        Outcome::Started { name, result }
    }

    pub(super) async fn stop(self, stop: Stop) -> Outcome {
        let id = stop.id.clone();
        stop.run(&self).await;
        self.host.refresh().await;
        Outcome::Stopped(id)
    }

    pub(super) async fn remove_container(self, id: ContainerId) -> Outcome {
        let log = self.runtime.containers.iter().find(|c| c.id == id).map(|c| c.log_path.clone());
        match self.host.runtime.remove_container(&id).await {
            Err(error) => {
                tracing::warn!(container = id.0, %error, "can't remove an old container");
                tokio::time::sleep(REMOVAL_RETRY).await;
            }
            Ok(()) => {
                if let Some(log) = log
                    && let Err(error) = tokio::fs::remove_file(&log).await
                {
                    tracing::debug!(log = %log.display(), %error, "old log not removed");
                }
            }
        }
        self.host.refresh().await;
        Outcome::Removed(id)
    }

    /// Gives back what the pod has of the node; its containers' ends and logs stay.
    pub(super) async fn clean_up(self) -> Outcome {
        let result = self.try_clean_up().await;
        self.host.refresh().await;
        Outcome::Cleaned(result)
    }

    async fn try_clean_up(&self) -> Result<(), String> {
        for sandbox in self.runtime.sandboxes.iter().filter(|sandbox| sandbox.ready) {
            self.host.runtime.stop_sandbox(&sandbox.id).await.map_err(|e| e.to_string())?;
        }
        self.host.unmount(self.pod.uid()).await
    }

    /// Takes the pod out of the API, unless it is gone, and away from the node.
    pub(super) async fn finish(self, gone: bool) -> Outcome {
        Outcome::Finished(self.try_finish(gone).await)
    }

    async fn try_finish(&self, gone: bool) -> Result<(), String> {
        if !gone {
            let key = Key::new(PODS, self.pod.namespace(), self.pod.name());
            let options = DeleteOptions {
                grace_period_seconds: Some(0),
                ..DeleteOptions::uid(self.pod.uid())
            };
            match self.host.client.delete(&key, &options).await {
                Err(error) if !error.is_not_found() && !error.is_conflict() => {
                    return Err(error.to_string());
                }
                _ => {}
            }
        }
        for sandbox in &self.runtime.sandboxes {
            self.host.runtime.remove_sandbox(&sandbox.id).await.map_err(|e| e.to_string())?;
        }
        self.host.unmount(self.pod.uid()).await?;
        self.host.prober.forget(self.pod.uid());
        match tokio::fs::remove_dir_all(self.logs_dir()).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        }?;
        self.host.refresh().await;
        Ok(())
    }
}
