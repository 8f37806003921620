//! The traits a store implements. Each method may be called from many tasks at once.

use crate::{
    Batch, Committed, KeyRange, KeyValue, LeaseId, LeaseStatus, RangeResult, Result, Revision, Txn,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::time::Duration;

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
    /// key, a key named twice or a value over the limit, [`crate::Error::LeaseNotFound`], [`crate::Error::Io`]
    /// when it could not be made durable, [`crate::Error::Unavailable`] when nobody knows.
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

/// Keys that go away by themselves.
///
/// A lease lives for its time to live (TTL) from the last [`Lease::keep_alive`], and is then revoked. Ends
/// are never early; they are late by a second or two at most while the store runs. A store
/// that was down gives every lease its whole TTL again.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Makes a lease, with this name or one of the store's choice. The TTL is in whole seconds, rounded up,
    /// and at least one; a store may give more than was asked for: the status says how much.
    ///
    /// # Errors
    /// [`crate::Error::LeaseExists`], [`crate::Error::Invalid`] for a TTL over 9,000,000,000 seconds.
    async fn grant(&self, ttl: Duration, id: Option<LeaseId>) -> Result<LeaseStatus>;

    /// Starts the time to live again, and returns it.
    ///
    /// # Errors
    /// [`crate::Error::LeaseNotFound`], also for a lease whose time is over and whose end is under way.
    async fn keep_alive(&self, id: LeaseId) -> Result<Duration>;

    /// Ends the lease and removes its keys, all at one revision, which is returned: the current one when it
    /// had none.
    ///
    /// # Errors
    /// [`crate::Error::LeaseNotFound`].
    async fn revoke(&self, id: LeaseId) -> Result<Revision>;

    /// What a lease has left, and the keys that go with it, in order.
    ///
    /// # Errors
    /// [`crate::Error::LeaseNotFound`].
    async fn time_to_live(&self, id: LeaseId) -> Result<(LeaseStatus, Vec<Bytes>)>;

    /// All leases, in no order.
    async fn leases(&self) -> Result<Vec<LeaseId>>;
}

/// A store whose leases are those of another one that it stands in front of: it is a [`Lease`] too.
pub trait Leased: Send + Sync {
    /// What keeps the leases.
    type Lessor: Lease + ?Sized;

    /// The store that keeps them.
    fn lessor(&self) -> &Self::Lessor;
}

#[async_trait]
impl<T: Leased> Lease for T {
    async fn grant(&self, ttl: Duration, id: Option<LeaseId>) -> Result<LeaseStatus> {
        self.lessor().grant(ttl, id).await
    }

    async fn keep_alive(&self, id: LeaseId) -> Result<Duration> {
        self.lessor().keep_alive(id).await
    }

    async fn revoke(&self, id: LeaseId) -> Result<Revision> {
        self.lessor().revoke(id).await
    }

    async fn time_to_live(&self, id: LeaseId) -> Result<(LeaseStatus, Vec<Bytes>)> {
        self.lessor().time_to_live(id).await
    }

    async fn leases(&self) -> Result<Vec<LeaseId>> {
        self.lessor().leases().await
    }
}

/// A whole store.
pub trait Backend: Read + Commit + Watch + Compact + Lease {}

impl<T: Read + Commit + Watch + Compact + Lease> Backend for T {}
