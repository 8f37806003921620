//! Containers that are only a state and a script.

use super::{Inner, Script, is_running, state_of};
use crate::runtime::{
    ContainerConfig, ContainerId, ContainerState, ContainerStatus, Error, Event, Resources, Result,
    SandboxId, Usage, UsageDetails,
};
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// A container.
pub(super) struct Entry {
    pub(super) id: ContainerId,
    pub(super) sandbox: SandboxId,
    pub(super) config: ContainerConfig,
    created_at: SystemTime,
    pub(super) state: watch::Sender<ContainerState>,
    /// The limits it has now.
    pub(super) resources: parking_lot::Mutex<Resources>,
    /// What it does, once it is started.
    pub(super) script: parking_lot::Mutex<Script>,
    change: tokio::sync::Mutex<()>,
}

// === impl Entry ===

impl Entry {
    pub(super) fn new(
        id: ContainerId,
        sandbox: SandboxId,
        config: ContainerConfig,
        now: SystemTime,
    ) -> Self {
        Self {
            id,
            sandbox,
            resources: parking_lot::Mutex::new(config.resources.clone()),
            config,
            created_at: now,
            state: watch::Sender::new(ContainerState::Created),
            script: parking_lot::Mutex::default(),
            change: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn status(&self) -> ContainerStatus {
        ContainerStatus {
            id: self.id.clone(),
            sandbox: self.sandbox.clone(),
            name: self.config.name.clone(),
            attempt: self.config.attempt,
            image: self.config.image.clone(),
            state: self.state.borrow().clone(),
            created_at: self.created_at,
            resources: self.resources.lock().clone(),
            log_path: self.config.log_path.clone(),
            labels: self.config.labels.clone(),
            annotations: self.config.annotations.clone(),
        }
    }

    /// What its script says that it uses, if it runs.
    pub(super) fn usage(&self, at: SystemTime) -> Option<Usage> {
        let ContainerState::Running { started_at, .. } = *self.state.borrow() else { return None };
        let script = self.script.lock();
        let ran = at.duration_since(started_at).unwrap_or_default();
        let cpu = ran * script.milli_cpu / 1000;
        let memory = script.memory;
        Some(Usage { at, cpu, working_set: memory, memory, details: UsageDetails::default() })
    }

    /// Waits until it no longer runs.
    pub(super) async fn ended(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this entry.
        state.wait_for(|s| !is_running(s)).await.ok();
    }

    /// Adds a text to its log.
    pub(super) fn log(&self, now: SystemTime, stream: &str, text: &str) -> Result<()> {
        let path = &self.config.log_path;
        if text.is_empty() || path.as_os_str().is_empty() {
            return Ok(());
        }
        let write = || -> std::io::Result<()> {
            let mut file = File::options().create(true).append(true).open(path)?;
            let time = jiff::Timestamp::try_from(now).map_err(std::io::Error::other)?;
            for line in text.lines() {
                writeln!(file, "{time:.9} {stream} F {line}")?;
            }
            Ok(())
        };
        write().map_err(|source| Error::Io { context: path.display().to_string(), source })
    }
}

// === impl Inner ===

impl Inner {
    /// Ends a container that runs.
    pub(super) fn end(&self, entry: &Entry, exit_code: i32, oom: bool) {
        let finished_at = (self.now)();
        let ended = entry.state.send_if_modified(|state| {
            let ContainerState::Running { started_at, .. } = state else { return false };
            *state = ContainerState::Exited {
                started_at: Some(*started_at),
                finished_at,
                exit_code,
                reason: state_of(exit_code, oom).into(),
                message: String::new(),
            };
            true
        });
        if ended {
            self.publish(Event::Exited(entry.id.clone()));
        }
    }
}

pub(super) async fn start(inner: &Arc<Inner>, entry: &Arc<Entry>) -> Result<()> {
    let _one = entry.change.lock().await;
    match &*entry.state.borrow() {
        ContainerState::Created => {}
        ContainerState::Running { .. } => return Ok(()),
        ContainerState::Exited { .. } => {
            return Err(Error::Invalid(format!("container {} has ended", entry.id.0)));
        }
    }
    let script = inner.director.container(&entry.config);
    if !script.start.is_zero() {
        tokio::time::sleep(script.start).await;
    }
    let now = (inner.now)();
    if let Some(words) = script.start_error {
        entry.state.send_replace(ContainerState::Exited {
            started_at: None,
            finished_at: now,
            exit_code: 128,
            reason: "StartError".into(),
            message: words.clone(),
        });
        return Err(Error::Start(words));
    }
    run(inner, entry, script, now)
}

fn run(inner: &Arc<Inner>, entry: &Arc<Entry>, script: Script, now: SystemTime) -> Result<()> {
    entry.log(now, "stdout", &script.stdout)?;
    entry.log(now, "stderr", &script.stderr)?;
    *entry.script.lock() = script.clone();
    let pid = u32::from_str_radix(&entry.id.0[56..], 16).unwrap_or(0);
    entry.state.send_replace(ContainerState::Running { started_at: now, pid });
    inner.publish(Event::Started(entry.id.clone()));
    if let Some(runs) = script.runs {
        let (inner, entry) = (inner.clone(), entry.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(runs) => inner.end(&entry, script.exit_code, script.oom),
                () = entry.ended() => {}
            }
        });
    }
    Ok(())
}

pub(super) async fn stop(inner: &Inner, entry: &Entry, grace: Duration) {
    if !is_running(&entry.state.borrow()) {
        return;
    }
    let on_term = entry.script.lock().on_term;
    if let (Some(code), false) = (on_term, grace.is_zero()) {
        inner.end(entry, code, false);
        return;
    }
    // It may end by itself meanwhile; else it is killed.
    tokio::time::timeout(grace, entry.ended()).await.ok();
    inner.end(entry, 137, false);
}
