//! What keeps a leader of the past from writing.

use crate::client::{
    Client, DeleteOptions, Key, ListOptions, Patch, Reader, Scope, WatchStream, Watcher,
    WriteOptions, Writer,
};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::object::{Object, ObjectList};
use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use parking_lot::RwLock;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// Open while the Lease is held. Clones are the same fence.
#[derive(Clone)]
pub(super) struct Fence {
    clock: Arc<dyn Clock>,
    until: Arc<RwLock<Option<Until>>>,
}

/// Two clocks, and the earlier one counts: one stands still while the machine sleeps, the other may be set back.
#[derive(Clone, Copy)]
struct Until {
    instant: Instant,
    wall: Timestamp,
}

/// A client that writes through a fence.
pub(super) struct FencedClient {
    inner: Arc<dyn Client>,
    fence: Fence,
}

// === impl Fence ===

impl Fence {
    /// A closed one.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, until: Arc::default() }
    }

    /// Open for so long from these times on.
    pub(super) fn open_until(&self, instant: Instant, wall: Timestamp, lasts: Duration) {
        let signed = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
        let wall = wall.checked_add(signed).unwrap_or(Timestamp::MAX);
        *self.until.write() = Some(Until { instant: instant + lasts, wall });
    }

    /// For good, unless it is opened again.
    pub(super) fn close(&self) {
        *self.until.write() = None;
    }

    /// When it closes by itself; now, when it is closed.
    pub(super) fn deadline(&self) -> Instant {
        self.until.read().map_or_else(Instant::now, |until| until.instant)
    }

    pub(super) fn is_open(&self) -> bool {
        let open = |until: Until| Instant::now() < until.instant && self.clock.now() < until.wall;
        self.until.read().is_some_and(open)
    }
}

// === impl FencedClient ===

impl FencedClient {
    pub(super) fn new(inner: Arc<dyn Client>, fence: Fence) -> Self {
        Self { inner, fence }
    }

    /// Looks before every step of a write: the process may have been stopped between any two.
    async fn guard<T>(&self, write: impl Future<Output = Result<T>>) -> Result<T> {
        let mut write = pin!(write);
        let guarded = poll_fn(|context| match self.fence.is_open() {
            true => write.as_mut().poll(context),
            false => Poll::Ready(Err(Error::NotLeader)),
        });
        guarded.await
    }
}

#[async_trait]
impl Reader for FencedClient {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        self.inner.get(key).await
    }

    async fn list(&self, scope: &Scope, options: &ListOptions) -> Result<ObjectList> {
        self.inner.list(scope, options).await
    }
}

#[async_trait]
impl Watcher for FencedClient {
    async fn watch(&self, scope: &Scope, options: &ListOptions) -> Result<WatchStream> {
        self.inner.watch(scope, options).await
    }
}

#[async_trait]
impl Writer for FencedClient {
    async fn create(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        self.guard(self.inner.create(key, object, options)).await
    }

    async fn update(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        self.guard(self.inner.update(key, object, options)).await
    }

    async fn patch(&self, key: &Key, patch: Patch, options: &WriteOptions) -> Result<Arc<Object>> {
        self.guard(self.inner.patch(key, patch, options)).await
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        self.guard(self.inner.delete(key, options)).await
    }

    async fn delete_collection(
        &self,
        scope: &Scope,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<()> {
        self.guard(self.inner.delete_collection(scope, list, options)).await
    }
}
