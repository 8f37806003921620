//! What carries the desired state out: kernel rules, connection forwarding, or a recording.

pub mod fake;
pub mod health_checks;
pub mod nftables;
mod sockets;
pub mod userspace;

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{PortKey, ServicePort};
use crate::policy::PolicyChange;

/// What changed: ports by the [`ChangeTracker`](crate::config::ChangeTracker), policies by the
/// [`PolicyTracker`](crate::policy::PolicyTracker).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Ports that are new or differ from before.
    pub updated: Vec<Arc<ServicePort>>,
    /// Ports that are gone.
    pub removed: Vec<PortKey>,
    /// What changes of NetworkPolicies; a backend that can't enforce them passes it over.
    pub policies: PolicyChange,
}

/// Carries out the desired state of Service ports.
///
/// One task drives a backend. After an error the backend's state may lag behind what was asked;
/// the driver then calls [`resync`](Backend::resync) until it succeeds.
#[async_trait]
pub trait Backend: Send {
    /// The backend's name, for logs and metrics.
    fn name(&self) -> &'static str;

    /// Carries out a change. Removing what is not there is no error.
    async fn apply(&mut self, change: &Change) -> Result<(), BackendError>;

    /// Makes `state`, a change from nothing, the whole state, whatever was there before.
    async fn resync(&mut self, state: &Change) -> Result<(), BackendError>;

    /// Returns when somebody else took away what the backend had carried out; a resync mends that.
    /// May be dropped and called again.
    async fn lost(&mut self) {
        std::future::pending().await
    }
}

/// Why a backend could not carry out a change.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The kernel has no nftables, or not for us. Retrying does not help; choose another backend.
    #[error(
        "nftables cannot be used: {0}; run as root on a kernel with nf_tables, or choose the userspace backend"
    )]
    Unavailable(#[source] std::io::Error),
    /// The kernel refused the transaction and rolled it back. Retry with a full resync.
    #[error("the kernel refused the transaction: {0}")]
    Refused(#[source] std::io::Error),
    /// A socket or a kernel setting could not be used. Retrying may help.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

/// A backend chosen at run time.
#[async_trait]
impl Backend for Box<dyn Backend> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    async fn apply(&mut self, change: &Change) -> Result<(), BackendError> {
        (**self).apply(change).await
    }

    async fn resync(&mut self, state: &Change) -> Result<(), BackendError> {
        (**self).resync(state).await
    }

    async fn lost(&mut self) {
        (**self).lost().await;
    }
}

// === impl Change ===

impl Change {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.updated.is_empty() && self.removed.is_empty() && self.policies.is_empty()
    }

    /// The change from nothing to these ports.
    pub fn to(ports: Vec<Arc<ServicePort>>) -> Self {
        Self { updated: ports, ..Self::default() }
    }
}
