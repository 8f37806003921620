//! Encryption at rest: a store in front of a store.

mod commit;
mod keys;
mod nonces;
mod rotate;
mod seal;
#[cfg(test)]
mod tests;

pub use keys::{KeyRing, KeyRingError};
pub use nonces::{Nonces, SystemNonces};
pub use rotate::Rotation;
pub use seal::is_sealed;

use crate::{
    Batch, Commit, Committed, Compact, Event, KeyRange, KeyValue, Lease, Leased, RangeResult, Read,
    Result, Revision, Txn, Watch, WatchStream,
};
use async_trait::async_trait;
use futures::StreamExt;
use parking_lot::Mutex;
use seal::Sealer;
use std::collections::VecDeque;
use std::sync::Arc;

/// So many opened batches are kept, for other watchers of the same commits.
const RECENT: usize = 32;
/// So many values are opened before others get their turn.
const VALUES_PER_TURN: usize = 256;

/// A store whose values are sealed with AES-256-GCM before they get to the one behind it. Keys are not.
///
/// A sealed value belongs to its key: moved to another one it does not open, nor when a bit of it was changed.
/// Then [`crate::Error::Sealed`] names the key, and all others go on working. A sealed value is a few dozen
/// bytes longer, and that is what the limits of the store behind count.
///
/// Nonces are random, of 96 bits: a key may seal 2³² values and no more (NIST SP 800-38D, 8.3). At a thousand
/// writes a second that is 49 days: put a new key in front in time, and call [`Encrypted::rotate`].
pub struct Encrypted<B> {
    inner: B,
    opener: Arc<Opener>,
}

/// Opens what comes out, once for all who watch.
struct Opener {
    sealer: Sealer,
    /// What was opened lately.
    recent: Mutex<VecDeque<Opened>>,
}

/// The events of a commit.
struct Opened {
    sealed: Arc<[Event]>,
    events: Arc<[Event]>,
}

// === impl Encrypted ===

impl<B> Encrypted<B> {
    /// In front of `inner`. The first key of the ring seals, all of them open.
    #[must_use]
    pub fn new(inner: B, keys: KeyRing) -> Self {
        Self::with_nonces(inner, keys, Arc::new(SystemNonces))
    }

    /// The same with nonces from elsewhere: for tests. A nonce that comes twice breaks the encryption.
    #[must_use]
    pub fn with_nonces(inner: B, keys: KeyRing, nonces: Arc<dyn Nonces>) -> Self {
        let sealer = Sealer { keys, nonces, allow_plain: false };
        Self { inner, opener: Arc::new(Opener { sealer, recent: Mutex::default() }) }
    }

    /// Reads values that are not sealed as they are, as long as a store is moved to encryption: then whoever can
    /// write to the store behind can put values there. [`Encrypted::rotate`] seals them.
    #[must_use]
    pub fn allow_plain(mut self) -> Self {
        let opener = Arc::get_mut(&mut self.opener).expect("nobody watches before it is built");
        opener.sealer.allow_plain = true;
        self
    }

    /// The store behind, with sealed values.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    fn sealer(&self) -> &Sealer {
        &self.opener.sealer
    }
}

// === impl Opener ===

impl Opener {
    fn batch(&self, batch: Batch) -> Result<Batch> {
        if batch.events.is_empty() {
            return Ok(batch);
        }
        let mut recent = self.recent.lock();
        let known = recent.iter().find(|opened| Arc::ptr_eq(&opened.sealed, &batch.events));
        if let Some(Opened { events, .. }) = known {
            return Ok(Batch { events: events.clone(), ..batch });
        }
        let opened = batch.events.iter().map(|event| self.sealer.open_event(event));
        let events: Arc<[Event]> = opened.collect::<Result<_>>()?;
        recent.truncate(RECENT - 1);
        recent.push_front(Opened { sealed: batch.events, events: events.clone() });
        Ok(Batch { revision: batch.revision, events })
    }
}

#[async_trait]
impl<B: Read> Read for Encrypted<B> {
    async fn current_revision(&self) -> Result<Revision> {
        self.inner.current_revision().await
    }

    async fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        let sealed = self.inner.get(key, at).await?;
        sealed.map(|kv| self.sealer().open(kv)).transpose()
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult> {
        let mut result = self.inner.range(range, limit, at).await?;
        let mut items = Vec::with_capacity(result.items.len());
        for (index, kv) in result.items.into_iter().enumerate() {
            items.push(self.sealer().open(kv)?);
            if index % VALUES_PER_TURN == VALUES_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        result.items = items;
        Ok(result)
    }
}

#[async_trait]
impl<B: Read + Commit> Commit for Encrypted<B> {
    async fn commit(&self, txn: Txn) -> Result<Committed> {
        self.commit_sealed(txn).await
    }
}

#[async_trait]
impl<B: Watch> Watch for Encrypted<B> {
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream> {
        let sealed = self.inner.watch(range, after).await?;
        let opener = self.opener.clone();
        let opened = sealed.scan(false, move |ended, batch| {
            let opened = (!*ended).then(|| batch.and_then(|batch| opener.batch(batch)));
            *ended = !matches!(opened, Some(Ok(_)));
            std::future::ready(opened)
        });
        Ok(opened.boxed())
    }

    async fn request_progress(&self) -> Result<()> {
        self.inner.request_progress().await
    }
}

#[async_trait]
impl<B: Compact> Compact for Encrypted<B> {
    async fn compact(&self, up_to: Revision) -> Result<()> {
        self.inner.compact(up_to).await
    }
}

impl<B: Lease> Leased for Encrypted<B> {
    type Lessor = B;

    fn lessor(&self) -> &B {
        &self.inner
    }
}
