//! A store that others used before, made to look like new.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use std::time::Duration;
use windlass_store::{
    Batch, Commit, Committed, Compact, Error, Etcd, Event, KeyRange, KeyValue, Lease, LeaseId,
    LeaseStatus, Precondition, RangeResult, Read, Result, Revision, Txn, Watch, WatchStream,
};

/// Counts revisions from a moment at which the store was emptied: that is revision 1.
pub(crate) struct Rebased {
    store: Etcd,
    base: Revision,
}

impl Rebased {
    /// Removes all leases and keys, and begins to count.
    pub(crate) async fn empty(store: Etcd) -> Self {
        for id in store.leases().await.unwrap() {
            store.revoke(id).await.unwrap();
        }
        let all = store.range(&KeyRange::all(), 0, None).await.unwrap().items;
        for some in all.chunks(100) {
            let delete = |txn: Txn, kv: &KeyValue| txn.delete(kv.key.clone());
            store.commit(some.iter().fold(Txn::new(), delete)).await.unwrap();
        }
        let base = store.current_revision().await.unwrap() - 1;
        Self { store, base }
    }

    /// 0 was before the beginning; it stays so.
    fn inner(&self, at: Revision) -> Revision {
        if at == 0 { 0 } else { at + self.base }
    }
}

fn kv(base: Revision, kv: KeyValue) -> KeyValue {
    let (create_revision, mod_revision) = (kv.create_revision - base, kv.mod_revision - base);
    KeyValue { create_revision, mod_revision, ..kv }
}

fn error(base: Revision, error: Error) -> Error {
    match error {
        Error::Compacted { compacted } => {
            Error::Compacted { compacted: compacted.saturating_sub(base) }
        }
        Error::Future { asked, current } => {
            Error::Future { asked: asked - base, current: current - base }
        }
        Error::Overrun { at } => Error::Overrun { at: at - base },
        error => error,
    }
}

fn batch(base: Revision, batch: Batch) -> Batch {
    let event = |event: &Event| match event.clone() {
        Event::Put { now, previous } => {
            Event::Put { now: kv(base, now), previous: previous.map(|previous| kv(base, previous)) }
        }
        Event::Delete { previous } => Event::Delete { previous: kv(base, previous) },
    };
    Batch { revision: batch.revision - base, events: batch.events.iter().map(event).collect() }
}

#[async_trait]
impl Read for Rebased {
    async fn current_revision(&self) -> Result<Revision> {
        Ok(self.store.current_revision().await? - self.base)
    }

    async fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        let found = self.store.get(key, at.map(|at| self.inner(at))).await;
        Ok(found.map_err(|e| error(self.base, e))?.map(|found| kv(self.base, found)))
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        let found = self.store.range(range, limit, at.map(|at| self.inner(at))).await;
        let RangeResult { items, remaining, revision } = found.map_err(|e| error(self.base, e))?;
        let items = items.into_iter().map(|found| kv(self.base, found)).collect();
        Ok(RangeResult { items, remaining, revision: revision - self.base })
    }
}

#[async_trait]
impl Commit for Rebased {
    async fn commit(&self, mut txn: Txn) -> Result<Committed> {
        for precondition in &mut txn.preconditions {
            match precondition {
                Precondition::ModRevision(_, at) | Precondition::Unchanged(_, at) => {
                    *at = self.inner(*at);
                }
                _ => {}
            }
        }
        let committed = self.store.commit(txn).await.map_err(|e| error(self.base, e))?;
        let previous = committed.previous.into_iter();
        let previous = previous.map(|before| before.map(|before| kv(self.base, before))).collect();
        Ok(Committed { revision: committed.revision - self.base, previous })
    }
}

#[async_trait]
impl Watch for Rebased {
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream> {
        let base = self.base;
        let stream =
            self.store.watch(range, self.inner(after)).await.map_err(|e| error(base, e))?;
        let rebase = move |next: Result<Batch>| match next {
            Ok(next) => Ok(batch(base, next)),
            Err(e) => Err(error(base, e)),
        };
        Ok(stream.map(rebase).boxed())
    }

    async fn request_progress(&self) -> Result<()> {
        self.store.request_progress().await
    }
}

#[async_trait]
impl Compact for Rebased {
    async fn compact(&self, up_to: Revision) -> Result<()> {
        self.store.compact(self.inner(up_to)).await.map_err(|e| error(self.base, e))
    }
}

#[async_trait]
impl Lease for Rebased {
    async fn grant(&self, ttl: Duration, id: Option<LeaseId>) -> Result<LeaseStatus> {
        self.store.grant(ttl, id).await
    }

    async fn keep_alive(&self, id: LeaseId) -> Result<Duration> {
        self.store.keep_alive(id).await
    }

    async fn revoke(&self, id: LeaseId) -> Result<Revision> {
        Ok(self.store.revoke(id).await? - self.base)
    }

    async fn time_to_live(&self, id: LeaseId) -> Result<(LeaseStatus, Vec<Bytes>)> {
        self.store.time_to_live(id).await
    }

    async fn leases(&self) -> Result<Vec<LeaseId>> {
        self.store.leases().await
    }
}
