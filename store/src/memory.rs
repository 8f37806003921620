//! A store in memory, for tests and simulation.

use crate::mvcc::{Mvcc, State, Writer};
use crate::{
    Commit, Committed, Compact, KeyRange, KeyValue, Limits, RangeResult, Read, Result, Revision,
    Txn, Watch, WatchStream,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::sync::Arc;

/// A store that lives as long as its process: the same versions, history and watches as the
/// durable ones, and no thread, file or timer of its own. Streams end when it is dropped.
pub struct Memory {
    mvcc: Arc<Mvcc>,
    writer: Mutex<Writer>,
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
        Self { mvcc, writer: Mutex::new(writer) }
    }
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
        let mut writer = self.writer.lock();
        let mut pending = writer.pending();
        let committed = writer.stage(&mut pending, txn)?;
        writer.publish(pending.batches());
        Ok(committed)
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
