//! A store that several have in hand.

use crate::{
    Commit, Committed, Compact, KeyRange, KeyValue, Leased, Memory, RangeResult, Read, Result,
    Revision, Txn, Watch, WatchStream,
};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Clone, Default)]
pub(super) struct Shared {
    store: Arc<Memory>,
    restless: &'static str,
    times: Arc<AtomicUsize>,
}

impl Shared {
    /// Writes the value of a key again before each of the next commits.
    pub(super) fn restless(self, key: &'static str, times: usize) -> Self {
        Self { restless: key, times: Arc::new(times.into()), ..self }
    }
}

#[async_trait]
impl Read for Shared {
    async fn current_revision(&self) -> Result<Revision> {
        self.store.current_revision().await
    }

    async fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        self.store.get(key, at).await
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        self.store.range(range, limit, at).await
    }
}

#[async_trait]
impl Commit for Shared {
    async fn commit(&self, txn: Txn) -> Result<Committed> {
        let left = self.times.load(Ordering::Relaxed);
        if left > 0 {
            self.times.store(left - 1, Ordering::Relaxed);
            let now = self.get(self.restless.as_bytes(), None).await?.unwrap();
            self.store.commit(Txn::new().put(now.key, now.value)).await?;
        }
        self.store.commit(txn).await
    }
}

#[async_trait]
impl Watch for Shared {
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream> {
        self.store.watch(range, after).await
    }

    async fn request_progress(&self) -> Result<()> {
        self.store.request_progress().await
    }
}

#[async_trait]
impl Compact for Shared {
    async fn compact(&self, up_to: Revision) -> Result<()> {
        self.store.compact(up_to).await
    }
}

impl Leased for Shared {
    type Lessor = Memory;

    fn lessor(&self) -> &Memory {
        &self.store
    }
}
