//! A backend that records, for tests and simulation.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Backend, BackendError, Change};
use crate::model::{PortKey, ServicePort};
use crate::policy::PolicyState;

/// What a [`FakeBackend`] has been told so far.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The state that a real backend would have programmed.
    pub ports: BTreeMap<PortKey, Arc<ServicePort>>,
    /// The policies that a real backend would have programmed.
    pub policies: PolicyState,
    /// How many changes were applied.
    pub applied: u64,
    /// How many full resyncs were made.
    pub resyncs: u64,
}

/// Keeps the state in memory; others look on through [`FakeBackend::recorded`].
#[derive(Debug, Default)]
pub struct FakeBackend {
    recorded: watch::Sender<Recorded>,
    failures: u32,
    losses: u32,
}

// === impl FakeBackend ===

impl FakeBackend {
    /// An empty recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next `count` calls fail as if the kernel had refused them.
    #[must_use]
    pub fn failing(mut self, count: u32) -> Self {
        self.failures = count;
        self
    }

    /// What was recorded, and how to wait for the next change of it.
    pub fn recorded(&self) -> watch::Receiver<Recorded> {
        self.recorded.subscribe()
    }

    /// So many times what was carried out is lost at once, as if another program had flushed it.
    #[must_use]
    pub fn losing(mut self, count: u32) -> Self {
        self.losses = count;
        self
    }

    fn fail_if_told(&mut self) -> Result<(), BackendError> {
        if self.failures == 0 {
            return Ok(());
        }
        self.failures -= 1;
        Err(BackendError::Refused(std::io::Error::other("refused on request")))
    }
}

#[async_trait]
impl Backend for FakeBackend {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn apply(&mut self, change: &Change) -> Result<(), BackendError> {
        self.fail_if_told()?;
        self.recorded.send_modify(|recorded| {
            for key in &change.removed {
                recorded.ports.remove(key);
            }
            recorded
                .ports
                .extend(change.updated.iter().map(|port| (port.key.clone(), port.clone())));
            recorded.policies.apply(&change.policies);
            recorded.applied += 1;
        });
        Ok(())
    }

    async fn resync(&mut self, state: &Change) -> Result<(), BackendError> {
        self.fail_if_told()?;
        self.recorded.send_modify(|recorded| {
            let ports = state.updated.iter().map(|port| (port.key.clone(), port.clone()));
            recorded.ports = ports.collect();
            recorded.policies = PolicyState::default();
            recorded.policies.apply(&state.policies);
            recorded.resyncs += 1;
        });
        Ok(())
    }

    async fn lost(&mut self) {
        if self.losses == 0 {
            std::future::pending::<()>().await;
        }
        self.losses -= 1;
        self.recorded.send_modify(|recorded| recorded.ports.clear());
    }
}
