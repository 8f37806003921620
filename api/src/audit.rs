//! Who did what, and what came of it: the audit log (Kubernetes' "Auditing"; `audit.k8s.io/v1`).
//!
//! A [`Policy`] decides how much is recorded of a request, an [`AuditSink`] takes the events; [`AuditLog`] writes them to
//! a file, a line each. Requests never wait for it: what finds no room is dropped and counted.

mod event;
mod log;
mod policy;
mod record;

#[cfg(test)]
mod tests;

pub use log::{AuditLog, LogOptions};
pub use policy::{Level, Policy, PolicyError, Stage};

pub(crate) use event::{Origin, audit_id};
pub(crate) use record::Record;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Takes events. Called on a request's way: never waits.
pub trait AuditSink: Send + Sync {
    /// Takes one event, a JSON object without a line break. False when there is no room for it.
    fn take(&self, event: Vec<u8>) -> bool;
}

/// The audit of a server.
pub struct Audit {
    policy: Policy,
    sink: Arc<dyn AuditSink>,
    events: AtomicU64,
    dropped: AtomicU64,
    /// What can't be recorded is not done.
    strict: bool,
    rejected: AtomicU64,
}

// === impl Audit ===

impl Audit {
    /// Records what the policy says.
    #[must_use]
    pub fn new(policy: Policy, sink: Arc<dyn AuditSink>) -> Arc<Self> {
        Arc::new(Self::with(policy, sink, false))
    }

    /// The same, and refuses a request whose first event finds no room (Kubernetes' `blocking-strict`).
    #[must_use]
    pub fn strict(policy: Policy, sink: Arc<dyn AuditSink>) -> Arc<Self> {
        Arc::new(Self::with(policy, sink, true))
    }

    fn with(policy: Policy, sink: Arc<dyn AuditSink>, strict: bool) -> Self {
        let [events, dropped, rejected] = [(); 3].map(|()| AtomicU64::new(0));
        Self { policy, sink, events, dropped, strict, rejected }
    }

    /// Whether it found room.
    fn send(&self, event: Vec<u8>) -> bool {
        self.events.fetch_add(1, Ordering::Relaxed);
        let taken = self.sink.take(event);
        if !taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// How many events there were.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// How many of them found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many requests were refused because they could not be recorded.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }
}
