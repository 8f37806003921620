//! Containers, as the agent sees them.

mod end;
mod make;
mod recover;
mod run;

pub(super) use end::{remove, stop};
pub(super) use make::create;
pub(super) use recover::recover;
pub(super) use run::start;

use super::Inner;
use super::client::ShimClient;
use super::state::ContainerRecord;
use crate::images::store::Pin;
use crate::runtime::{ContainerState, ContainerStatus, Error, Result};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// A container, as this process knows it.
pub(super) struct Entry {
    pub(super) record: ContainerRecord,
    pub(super) folder: PathBuf,
    state: watch::Sender<ContainerState>,
    /// Whether its shim runs.
    shim: watch::Sender<bool>,
    /// One task at a time starts or removes it.
    change: tokio::sync::Mutex<()>,
    _layers: Pin,
}

// === impl Entry ===

impl Entry {
    pub(super) fn status(&self) -> ContainerStatus {
        let r = &self.record;
        ContainerStatus {
            id: r.id.clone(),
            sandbox: r.sandbox.clone(),
            name: r.config.name.clone(),
            attempt: r.config.attempt,
            image: r.config.image.clone(),
            state: self.state.borrow().clone(),
            created_at: r.created_at,
            log_path: r.config.log_path.clone(),
            labels: r.config.labels.clone(),
            annotations: r.config.annotations.clone(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), ContainerState::Running { .. })
    }

    /// A connection to the shim of a container that runs.
    pub(super) async fn connect(&self) -> Result<ShimClient> {
        let gone = || Error::Failed(format!("container {} is not running", self.record.id.0));
        if !self.is_running() {
            return Err(gone());
        }
        ShimClient::connect(&self.folder).await?.ok_or_else(gone)
    }

    async fn wait_exit(&self, within: Duration) -> bool {
        let mut state = self.state.subscribe();
        let exited = state.wait_for(|s| !matches!(s, ContainerState::Running { .. }));
        tokio::time::timeout(within, exited).await.is_ok()
    }

    fn new(inner: &Inner, record: ContainerRecord, state: ContainerState, layers: Pin) -> Self {
        Self {
            folder: inner.layout.container(&record.id),
            record,
            state: watch::Sender::new(state),
            shim: watch::Sender::new(false),
            change: tokio::sync::Mutex::default(),
            _layers: layers,
        }
    }
}
