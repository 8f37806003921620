//! One shared copy of each object, one watch of the store for all.
//!
//! A task follows the store and brings every commit to the caches it concerns, in order. A cache is
//! loaded when its resource is first asked for. What was read at some version is complete at that
//! version: a list names the version up to which its cache has seen everything.

mod cache;
mod feed;
mod index;
mod ring;
mod state;
mod watchers;

use super::errors::too_large;
use super::{
    EventStream, Kv, ListQuery, Page, ReadVersion, Resource, Stats, Storage, WatchFrom, WatchQuery,
};
use async_trait::async_trait;
use bytes::Bytes;
use cache::Cache;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use windlass_core::Object;
use windlass_core::component::Shutdown;
use windlass_core::meta::Status;
use windlass_store::{Backend, Committed, Revision, Txn};

/// How long a read waits for the version it asks for.
const FRESHNESS_DEADLINE: Duration = Duration::from_secs(3);

/// A cache before a store. Cheap to share; its task ends with `shutdown`.
pub struct Cacher {
    kv: Kv,
    feed: Arc<Feed>,
}

/// What the task that follows the store and the readers share.
struct Feed {
    caches: RwLock<FxHashMap<Bytes, Arc<Cache>>>,
    /// Every commit up to this revision is in the caches.
    reached: watch::Sender<Revision>,
}

// === impl Cacher ===

impl Cacher {
    /// Starts to follow a store.
    ///
    /// # Errors
    /// When the store can't be watched.
    pub async fn start(backend: Arc<dyn Backend>, shutdown: Shutdown) -> Result<Self, Status> {
        Self::over(Kv::new(backend), shutdown).await
    }

    /// The same, over what reads the store.
    ///
    /// # Errors
    /// When the store can't be watched.
    pub(crate) async fn over(kv: Kv, shutdown: Shutdown) -> Result<Self, Status> {
        let reached = watch::Sender::new(0);
        let feed = Arc::new(Feed { caches: RwLock::default(), reached });
        let (stream, revision) = feed.follow(&kv).await?;
        feed.reached.send_replace(revision);
        tokio::spawn(feed::run(feed.clone(), kv.clone(), stream, shutdown));
        Ok(Self { kv, feed })
    }

    /// The cache of a resource, loaded.
    async fn cache(&self, resource: &Arc<Resource>) -> Result<Arc<Cache>, Status> {
        let known = self.feed.caches.read().get(&resource.prefix).cloned();
        let cache = match known {
            Some(cache) => cache,
            None => {
                let mut caches = self.feed.caches.write();
                let new = || Arc::new(Cache::new(resource.clone()));
                caches.entry(resource.prefix.clone()).or_insert_with(new).clone()
            }
        };
        cache.load(&self.kv).await?;
        Ok(cache)
    }

    fn reached(&self) -> Revision {
        *self.feed.reached.borrow()
    }

    /// Waits until everything up to `revision` is in the caches.
    async fn wait_for(&self, revision: Revision) -> Result<(), Status> {
        if self.reached() >= revision {
            return Ok(());
        }
        let mut reached = self.feed.reached.subscribe();
        self.kv.backend().request_progress().await.map_err(|e| super::store_status(&e))?;
        let there = reached.wait_for(|reached| *reached >= revision);
        match tokio::time::timeout(FRESHNESS_DEADLINE, there).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(too_large(revision, self.reached())),
        }
    }

    /// A cache that has what `at` asks for. When it says that it was thrown away meanwhile, ask for the next one.
    async fn fresh(&self, resource: &Arc<Resource>, at: ReadVersion) -> Result<Arc<Cache>, Status> {
        match at {
            ReadVersion::Newest => self.wait_for(self.kv.revision().await?).await?,
            ReadVersion::NotOlderThan(revision) | ReadVersion::Exact(revision) => {
                self.wait_for(revision).await?;
            }
            ReadVersion::Any => {}
        }
        self.cache(resource).await
    }
}

#[async_trait]
impl Storage for Cacher {
    /// The newest version comes from the cache when that has caught up, else from the store: it never waits.
    async fn get(
        &self,
        resource: &Arc<Resource>,
        key: &Bytes,
        at: ReadVersion,
    ) -> Result<Option<Arc<Object>>, Status> {
        if at == ReadVersion::Newest {
            let newest = self.kv.revision().await?;
            if self.reached() < newest {
                return self.kv.get(resource, key, at).await;
            }
        }
        loop {
            if let Some(found) = self.fresh(resource, at).await?.get(key) {
                return Ok(found);
            }
        }
    }

    async fn list(&self, query: &ListQuery) -> Result<Page, Status> {
        loop {
            let cache = self.fresh(&query.resource, query.at).await?;
            let ReadVersion::Exact(revision) = query.at else {
                let Some(page) = cache.list(query, &self.feed.reached) else { continue };
                return Ok(page);
            };
            return match cache.list_at(query, revision) {
                Some(page) => Ok(page),
                None => self.kv.list(query).await,
            };
        }
    }

    async fn watch(&self, query: WatchQuery) -> Result<EventStream, Status> {
        let at = match query.from {
            WatchFrom::After(revision) => ReadVersion::NotOlderThan(revision),
            WatchFrom::Objects { at, .. } | WatchFrom::Now { at } => at,
        };
        loop {
            let cache = self.fresh(&query.resource, at).await?;
            if let Some(stream) = cache.watch(&query, &self.feed.reached)? {
                return Ok(stream);
            }
        }
    }

    fn stats(&self, resource: &Resource) -> Option<Stats> {
        self.feed.caches.read().get(&resource.prefix)?.stats()
    }

    fn forget(&self, resource: &Resource) {
        let cache = self.feed.caches.write().remove(&resource.prefix);
        if let Some(cache) = cache {
            cache.close();
        }
    }

    async fn commit(&self, txn: Txn) -> windlass_store::Result<Committed> {
        self.kv.commit(txn).await
    }
}
