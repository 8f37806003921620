//! The server's own objects, for its own parts: no user, no authorization.

use super::{Entry, Resources};
use crate::storage::{
    EventStream, ListQuery, ReadVersion, Selection, Storage, WatchFrom, WatchQuery,
};
use async_trait::async_trait;
use futures::StreamExt;
use std::sync::Arc;
use windlass_core::client::{Key, ListOptions, Reader, Scope, WatchStream, Watcher};
use windlass_core::meta::{Reason, Status};
use windlass_core::object::ListMeta;
use windlass_core::scheme::GroupVersionResource;
use windlass_core::{Object, ObjectList, Result};

/// Reads and watches what a server has. For authenticators, authorizers and admission plugins. Cheap to clone.
#[derive(Clone)]
pub struct Loopback {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) resources: Arc<Resources>,
}

// === impl Loopback ===

impl Loopback {
    /// Over storage and the resources in it.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>, resources: Arc<Resources>) -> Self {
        Self { storage, resources }
    }

    /// The same resources over other storage.
    pub(crate) fn over(&self, storage: Arc<dyn Storage>) -> Self {
        Self { storage, resources: self.resources.clone() }
    }

    /// The resources.
    #[must_use]
    pub fn resources(&self) -> &Arc<Resources> {
        &self.resources
    }

    /// Whether a resource is served at all.
    #[must_use]
    pub fn serves(&self, gvr: &GroupVersionResource) -> bool {
        self.resources.get(gvr).is_some()
    }

    pub(crate) fn entry(&self, gvr: &GroupVersionResource) -> Result<Arc<Entry>, Status> {
        self.resources.get(gvr).ok_or_else(unknown_resource)
    }

    /// One object, as it is stored; none when it is not there.
    ///
    /// # Errors
    /// When the resource is not served or the store fails.
    pub async fn get_at(&self, key: &Key, at: ReadVersion) -> Result<Option<Arc<Object>>, Status> {
        let entry = self.entry(&key.resource)?;
        let place = entry.place.key(key.namespace.as_deref(), &key.name);
        self.storage.get(&entry.place, &place, at).await
    }

    /// All objects of a scope, as they are stored.
    ///
    /// # Errors
    /// When the resource is not served or the store fails.
    pub async fn list_at(
        &self,
        scope: &Scope,
        at: ReadVersion,
    ) -> Result<Vec<Arc<Object>>, Status> {
        let resource = self.entry(&scope.resource)?.place.clone();
        let selection = Selection { namespace: scope.namespace.clone(), ..Selection::default() };
        let query = ListQuery { resource, selection, at, limit: 0, start: None };
        Ok(self.storage.list(&query).await?.items)
    }

    /// What happens in a scope: first all objects there are, then what follows.
    ///
    /// # Errors
    /// When the resource is not served or the store fails.
    pub async fn events(&self, scope: &Scope) -> Result<EventStream, Status> {
        let resource = self.entry(&scope.resource)?.place.clone();
        let selection = Selection { namespace: scope.namespace.clone(), ..Selection::default() };
        let from = WatchFrom::Objects { at: ReadVersion::Newest, mark_end: true };
        self.storage.watch(WatchQuery { resource, selection, from, bookmarks: false }).await
    }
}

#[async_trait]
impl Reader for Loopback {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        let found = self.get_at(key, ReadVersion::Newest).await?;
        let resource = &key.resource;
        let missing = || Status::not_found(&resource.group, &resource.resource, &key.name);
        Ok(found.ok_or_else(missing)?)
    }

    async fn list(&self, scope: &Scope, options: &ListOptions) -> Result<ObjectList> {
        let entry = self.entry(&scope.resource)?;
        let query = entry.list_query(scope.namespace.as_deref(), options)?;
        let page = self.storage.list(&query).await?;
        let meta = ListMeta { resource_version: page.revision.to_string(), ..ListMeta::default() };
        Ok(ObjectList { meta, items: page.items })
    }
}

#[async_trait]
impl Watcher for Loopback {
    async fn watch(&self, scope: &Scope, options: &ListOptions) -> Result<WatchStream> {
        let entry = self.entry(&scope.resource)?;
        let query = entry.watch_query(scope.namespace.as_deref(), options)?;
        let stream = self.storage.watch(query).await?;
        Ok(client_events(stream))
    }
}

/// A stream as clients take it.
pub(crate) fn client_events(stream: EventStream) -> WatchStream {
    stream
        .map(|batch| match batch {
            Ok(batch) => Ok(batch.iter().map(crate::storage::Event::to_client).collect()),
            Err(status) => Err(status.into()),
        })
        .boxed()
}

/// The resource is not served.
pub(crate) fn unknown_resource() -> Status {
    Status::failure(Reason::NotFound, "the server could not find the requested resource")
}
