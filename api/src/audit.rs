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
}

// === impl Audit ===

impl Audit {
    /// Records what the policy says.
    #[must_use]
    pub fn new(policy: Policy, sink: Arc<dyn AuditSink>) -> Arc<Self> {
        let (events, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { policy, sink, events, dropped })
    }

    fn send(&self, event: Vec<u8>) {
        self.events.fetch_add(1, Ordering::Relaxed);
        if !self.sink.take(event) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
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
}
