//! A store in memory, for tests and simulation.

use crate::mvcc::{Mvcc, Pending, State, Writer, expire};
use crate::{
    Commit, Committed, Compact, Error, KeyRange, KeyValue, Lease, LeaseId, LeaseStatus, Limits,
    RangeResult, Read, Result, Revision, Txn, Watch, WatchStream,
};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a thread looks whether another's commit is over before it goes to sleep.
const SPINS: u32 = 300;

/// A store that lives as long as its process: the same versions, history, watches and leases as the
/// durable ones, and no thread, file or timer of its own. Streams end when it is dropped.
///
/// Leases end while [`Memory::expiry`] runs.
pub struct Memory {
    mvcc: Arc<Mvcc>,
    writer: Arc<Mutex<Writer>>,
}

// === impl Memory ===

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// An empty store with other limits.
    #[must_use]
    pub fn with_limits(limits: Limits) -> Self {
        let (mvcc, writer) = Mvcc::new(State::default(), limits);
        Self { mvcc, writer: Arc::new(Mutex::new(writer)) }
    }

    /// Ends leases when their time is over, until the store is dropped, which it does not hold up. Run
    /// it once, as a task; without it leases end only when they are revoked.
    pub fn expiry(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let writer = Arc::downgrade(&self.writer);
        expire(Arc::downgrade(&self.mvcc), move |id, due| {
            let writer = writer.upgrade().ok_or(Error::Closed);
            let revoked = writer.and_then(|writer| {
                write(&writer, |writer, group| writer.revoke(group, id, Some(due)))
            });
            std::future::ready(revoked.map(|_revision| ()))
        })
    }
}

/// Locks without going to sleep at once: a commit is over sooner than a thread that sleeps is woken.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    for _ in 0..SPINS {
        if let Some(guard) = mutex.try_lock() {
            return guard;
        }
        std::hint::spin_loop();
    }
    mutex.lock()
}

/// Decides and shows one thing.
fn write<T>(
    writer: &Mutex<Writer>,
    stage: impl FnOnce(&Writer, &mut Pending) -> Result<T>,
) -> Result<T> {
    let mut writer = lock(writer);
    let mut group = writer.pending();
    let staged = stage(&writer, &mut group)?;
    writer.publish(&group);
    drop(writer);
    Ok(staged)
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.mvcc.close();
    }
}

#[async_trait]
impl Read for Memory {
    async fn current_revision(&self) -> Result<Revision> {
        self.mvcc.revision()
    }

    async fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        self.mvcc.get(key, at)
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        self.mvcc.range(range, limit, at).await
    }
}

#[async_trait]
impl Commit for Memory {
    async fn commit(&self, txn: Txn) -> Result<Committed> {
        self.mvcc.limits().check(&txn)?;
        write(&self.writer, |writer, group| writer.stage(group, txn))
    }
}

#[async_trait]
impl Watch for Memory {
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream> {
        Ok(Box::pin(self.mvcc.watch(range, after)?))
    }

    async fn request_progress(&self) -> Result<()> {
        self.mvcc.request_progress()
    }
}

#[async_trait]
impl Compact for Memory {
    async fn compact(&self, up_to: Revision) -> Result<()> {
        self.mvcc.compact(up_to).await
    }
}

#[async_trait]
impl Lease for Memory {
    async fn grant(&self, ttl: Duration, id: Option<LeaseId>) -> Result<LeaseStatus> {
        let ttl = Limits::ttl(ttl)?;
        let now = Instant::now();
        write(&self.writer, |writer, group| writer.grant(group, (ttl, id), now))
    }

    async fn keep_alive(&self, id: LeaseId) -> Result<Duration> {
        self.mvcc.keep_alive(id)
    }

    async fn revoke(&self, id: LeaseId) -> Result<Revision> {
        write(&self.writer, |writer, group| writer.revoke(group, id, None))
    }

    async fn time_to_live(&self, id: LeaseId) -> Result<(LeaseStatus, Vec<Bytes>)> {
        self.mvcc.time_to_live(id)
    }

    async fn leases(&self) -> Result<Vec<LeaseId>> {
        self.mvcc.leases()
    }
}
