//! A store in which writes are kept back, until all of them can be made.

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_store::{
    Backend, Commit, Committed, Compact, Error, KeyRange, KeyValue, Leased, Op, Precondition,
    RangeResult, Read, Result, Revision, Txn, Watch, WatchStream,
};

/// What staged writes appear to be at: no store ever gets there, so nothing that others write looks like them.
pub(super) const REVISION: Revision = Revision::MAX >> 2;

/// Reads what a store has and, over it, what was written here. Nothing of that is in the store yet.
/// It has one user, who does one thing after another.
pub(super) struct Staged {
    base: Arc<dyn Backend>,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    /// What stands under each key that was written; none where it was removed.
    keys: BTreeMap<Bytes, Option<KeyValue>>,
    /// What the writes stand on.
    preconditions: Vec<Precondition>,
}

// === impl Staged ===

impl Staged {
    pub(super) fn over(base: Arc<dyn Backend>) -> Self {
        Self { base, written: Mutex::default() }
    }

    /// Everything that was written, on the condition of everything it stands on.
    pub(super) fn transaction(&self) -> Txn {
        let written = self.written.lock();
        let op = |(key, now): (&Bytes, &Option<KeyValue>)| match now {
            Some(kv) => Op::Put { key: key.clone(), value: kv.value.clone(), lease: kv.lease },
            None => Op::Delete { key: key.clone() },
        };
        let ops = written.keys.iter().map(op).collect();
        Txn { preconditions: written.preconditions.clone(), ops }
    }

    /// What was written under a key, if anything was.
    fn staged(&self, key: &[u8]) -> Option<Option<KeyValue>> {
        self.written.lock().keys.get(key).cloned()
    }

    async fn now(&self, key: &[u8]) -> Result<Option<KeyValue>> {
        match self.staged(key) {
            Some(now) => Ok(now),
            None => self.base.get(key, None).await,
        }
    }

    /// Whether a precondition holds here; one about the store itself is noted, to hold at the end too.
    async fn holds(&self, precondition: &Precondition) -> Result<bool> {
        let Some(key) = precondition.key() else {
            self.written.lock().preconditions.push(precondition.clone());
            return Ok(true);
        };
        let now = self.now(key).await?;
        let holds = match precondition {
            Precondition::Exists(_) => now.is_some(),
            Precondition::Absent(_) => now.is_none(),
            Precondition::ModRevision(_, at) => now.is_some_and(|kv| kv.mod_revision == *at),
            Precondition::Value(_, value) => now.is_some_and(|kv| kv.value == *value),
            Precondition::Unchanged(..) => true,
        };
        if holds && self.staged(key).is_none() {
            self.written.lock().preconditions.push(precondition.clone());
        }
        Ok(holds)
    }

    async fn stage(&self, op: Op) -> Result<Option<KeyValue>> {
        let key = op.key().clone();
        let previous = self.now(&key).await?;
        let now = match op {
            Op::Delete { .. } => None,
            Op::Put { value, lease, .. } => Some(KeyValue {
                key: key.clone(),
                value,
                create_revision: previous.as_ref().map_or(REVISION, |kv| kv.create_revision),
                mod_revision: REVISION,
                version: previous.as_ref().map_or(1, |kv| kv.version + 1),
                lease,
            }),
        };
        self.written.lock().keys.insert(key, now);
        Ok(previous)
    }
}

#[async_trait]
impl Read for Staged {
    async fn current_revision(&self) -> Result<Revision> {
        self.base.current_revision().await
    }

    async fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        match at {
            Some(_) => self.base.get(key, at).await,
            None => self.now(key).await,
        }
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        let written = self.written.lock().keys.clone();
        let written = written.into_iter().filter(|(key, _)| range.contains(key));
        let written: Vec<_> = written.collect();
        if at.is_some() || written.is_empty() {
            return self.base.range(range, limit, at).await;
        }
        let found = self.base.range(range, 0, None).await?;
        let mut keys: BTreeMap<Bytes, KeyValue> =
            found.items.into_iter().map(|kv| (kv.key.clone(), kv)).collect();
        for (key, now) in written {
            match now {
                Some(kv) => _ = keys.insert(key, kv),
                None => _ = keys.remove(&key),
            }
        }
        let mut items: Vec<KeyValue> = keys.into_values().collect();
        let kept = if limit == 0 { items.len() } else { limit.min(items.len()) };
        let remaining = (items.len() - kept) as u64;
        items.truncate(kept);
        Ok(RangeResult { items, remaining, revision: found.revision })
    }
}

#[async_trait]
impl Commit for Staged {
    async fn commit(&self, txn: Txn) -> Result<Committed> {
        for (index, precondition) in txn.preconditions.iter().enumerate() {
            if !self.holds(precondition).await? {
                return Err(Error::Precondition { index });
            }
        }
        let mut previous = Vec::with_capacity(txn.ops.len());
        for op in txn.ops {
            previous.push(self.stage(op).await?);
        }
        Ok(Committed { revision: REVISION, previous })
    }
}

#[async_trait]
impl Watch for Staged {
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream> {
        self.base.watch(range, after).await
    }

    async fn request_progress(&self) -> Result<()> {
        self.base.request_progress().await
    }
}

#[async_trait]
impl Compact for Staged {
    async fn compact(&self, up_to: Revision) -> Result<()> {
        self.base.compact(up_to).await
    }
}

impl Leased for Staged {
    type Lessor = dyn Backend;

    fn lessor(&self) -> &(dyn Backend + 'static) {
        &*self.base
    }
}
