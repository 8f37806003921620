//! The traits a store implements. Each method may be called from many tasks at once.

use crate::{Batch, Committed, KeyRange, KeyValue, RangeResult, Result, Revision, Txn};
use async_trait::async_trait;
use futures::stream::BoxStream;

/// Batches in the order of their revisions. Ends after an error; ends without one when the store closes.
pub type WatchStream = BoxStream<'static, Result<Batch>>;

/// Reading, now or at a past revision. Reads never wait for writes.
#[async_trait]
pub trait Read: Send + Sync {
    /// The revision of the last commit that readers can see.
    async fn current_revision(&self) -> Result<Revision>;

    /// The key at revision `at`, or now. `None` when it was not there.
    ///
    /// # Errors
    /// [`crate::Error::Compacted`], [`crate::Error::Future`] for a revision that can't be read.
    async fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>>;

    /// The keys of a range, in order, at most `limit` of them (0: all), at revision `at` or now.
    ///
    /// # Errors
    /// As for [`Read::get`].
    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult>;
}

/// Writing.
#[async_trait]
pub trait Commit: Send + Sync {
    /// Applies the transaction if its preconditions hold, all of it at one revision, and returns
    /// when it is durable. Dropping the future does not undo a commit that has begun.
    ///
    /// # Errors
    /// [`crate::Error::Precondition`] when one does not hold, [`crate::Error::Invalid`] for an empty
    /// key, a key named twice or a value over the limit, [`crate::Error::Io`] when it could not be made durable.
    async fn commit(&self, txn: Txn) -> Result<Committed>;
}

/// Watching.
#[async_trait]
pub trait Watch: Send + Sync {
    /// Every commit after revision `after` that touches the range, each once, in order, as one batch.
    /// The stream is registered when this returns: no commit after that is missed. `after` may be
    /// the current revision or any past one that is not compacted. A watcher never slows a writer: one
    /// that falls too far behind gets [`crate::Error::Overrun`] and its stream ends.
    ///
    /// # Errors
    /// [`crate::Error::Compacted`] when events after `after` are gone, [`crate::Error::Future`].
    async fn watch(&self, range: KeyRange, after: Revision) -> Result<WatchStream>;

    /// Asks that every open stream gets a [`Batch`] with no events that names the current revision
    /// (after the batches before it), so that readers know how far they have come.
    async fn request_progress(&self) -> Result<()>;
}

/// Forgetting history.
#[async_trait]
pub trait Compact: Send + Sync {
    /// Forgets all that only reads and watches before or at `up_to` need. What a key holds now, and
    /// what it held at any later revision, stays. Calling it again with the same or a lower revision does nothing.
    async fn compact(&self, up_to: Revision) -> Result<()>;
}

/// A whole store.
pub trait Backend: Read + Commit + Watch + Compact {}

impl<T: Read + Commit + Watch + Compact> Backend for T {}
