//! How long events live.
//!
//! Events come often and go by themselves. So that leases are few, events of about the same time share one: it lasts
//! a little longer than they have to live, and is given out as long as it has that much left. So do
//! kube-apiserver's events (`storage/etcd3/lease_manager.go`).

use super::{Registry, Write};
use crate::storage::store_status;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use windlass_core::meta::Status;
use windlass_store::{Backend, LeaseId};

/// A lease is given out for this long at most, and for no more than a twentieth of the events' time.
const REUSE: Duration = Duration::from_secs(60);
const REUSE_PART: u32 = 20;
/// So many writes share a lease at most: its end is one commit.
const MOST: usize = 1000;

/// Gives events a lease each, many the same.
pub(crate) struct EventLeases {
    backend: Arc<dyn Backend>,
    ttl: Duration,
    shared: Mutex<Option<Shared>>,
}

struct Shared {
    id: LeaseId,
    /// After this it is too short for a new event.
    until: Instant,
    writes: usize,
}

// === impl EventLeases ===

impl EventLeases {
    /// Events that live for `ttl` after their last write; for ever when it is zero.
    pub(crate) fn new(backend: Arc<dyn Backend>, ttl: Duration) -> Self {
        Self { backend, ttl, shared: Mutex::default() }
    }

    /// A lease for one write.
    async fn lease(&self) -> windlass_store::Result<Option<LeaseId>> {
        if self.ttl.is_zero() {
            return Ok(None);
        }
        let mut shared = self.shared.lock().await;
        let now = Instant::now();
        if let Some(shared) = shared.as_mut().filter(|it| now < it.until && it.writes < MOST) {
            shared.writes += 1;
            return Ok(Some(shared.id));
        }
        let reuse = REUSE.min(self.ttl / REUSE_PART);
        let id = self.backend.grant(self.ttl + reuse, None).await?.id;
        *shared = Some(Shared { id, until: now + reuse, writes: 1 });
        Ok(Some(id))
    }

    /// A lease turned out to be gone.
    pub(crate) async fn forget(&self, id: LeaseId) {
        self.shared.lock().await.take_if(|shared| shared.id == id);
    }
}

// === impl Registry ===

impl Registry {
    /// What a written object goes with.
    pub(super) async fn lease(&self, write: &Write<'_>) -> Result<Option<LeaseId>, Status> {
        if !write.entry.strategy.expires() {
            return Ok(None);
        }
        self.event_leases.lease().await.map_err(|error| store_status(&error))
    }
}
