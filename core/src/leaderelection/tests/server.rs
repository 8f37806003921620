//! A server of one Lease, that can be cut off from a client.

use crate::client::{
    DeleteOptions, Key, ListOptions, Patch, Reader, Scope, WatchEvent, WatchStream, Watcher,
    WriteOptions, Writer,
};
use crate::error::{Error, Result};
use crate::meta::Status;
use crate::object::{ListMeta, Object, ObjectList};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;

const LOCK: &str = "lock";

pub(super) struct Server {
    lease: watch::Sender<Option<Arc<Object>>>,
    version: Mutex<u64>,
    /// Who writes gets no answer.
    deaf: Mutex<Option<String>>,
    hangs: watch::Sender<bool>,
}

pub(super) struct ServerClient(Arc<Server>);

impl Server {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            lease: watch::Sender::new(None),
            version: Mutex::new(1),
            deaf: Mutex::default(),
            hangs: watch::Sender::new(false),
        })
    }

    pub(super) fn client(self: &Arc<Self>) -> ServerClient {
        ServerClient(self.clone())
    }

    pub(super) fn cut_off(&self, manager: &str) {
        *self.deaf.lock() = Some(manager.into());
    }

    pub(super) fn heal(&self) {
        *self.deaf.lock() = None;
    }

    /// Writes of other objects get no answer while this is set.
    pub(super) fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    pub(super) fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut lease: Value = self.current().expect("there").view().expect("JSON");
        change(&mut lease);
        self.store(lease);
    }

    fn current(&self) -> Option<Arc<Object>> {
        self.lease.borrow().clone()
    }

    fn store(&self, mut lease: Value) -> Arc<Object> {
        let mut version = self.version.lock();
        *version += 1;
        lease["metadata"]["resourceVersion"] = version.to_string().into();
        let object = Arc::new(Object::from_wire(lease.to_string().into()).expect("an object"));
        self.lease.send_replace(Some(object.clone()));
        object
    }

    fn hears(&self, manager: &str) -> Result<()> {
        match &*self.deaf.lock() {
            Some(deaf) if deaf == manager => Err(Error::Transport("no route".into())),
            _ => Ok(()),
        }
    }
}

fn read(body: &Bytes) -> Value {
    serde_json::from_slice(body).expect("JSON")
}

#[async_trait]
impl Reader for ServerClient {
    async fn get(&self, _: &Key) -> Result<Arc<Object>> {
        self.0.current().ok_or_else(|| Status::not_found("", "leases", LOCK).into())
    }

    async fn list(&self, _: &Scope, options: &ListOptions) -> Result<ObjectList> {
        assert_eq!(options.field_selector, "metadata.name=lock");
        let items = self.0.current().into_iter().collect();
        let resource_version = self.0.version.lock().to_string();
        Ok(ObjectList { meta: ListMeta { resource_version, ..ListMeta::default() }, items })
    }
}

#[async_trait]
impl Watcher for ServerClient {
    async fn watch(&self, _: &Scope, _: &ListOptions) -> Result<WatchStream> {
        let seen = futures::stream::unfold(self.0.lease.subscribe(), |mut lease| async move {
            lease.changed().await.ok()?;
            let now = lease.borrow_and_update().clone()?;
            Some((Ok([WatchEvent::Modified(now)].into_iter().collect()), lease))
        });
        Ok(seen.boxed())
    }
}

#[async_trait]
impl Writer for ServerClient {
    async fn create(&self, key: &Key, body: Bytes, options: &WriteOptions) -> Result<Arc<Object>> {
        if key.name != LOCK {
            let mut hangs = self.0.hangs.subscribe();
            hangs.wait_for(|hangs| !hangs).await.expect("the server lives");
            return Object::from_wire(json!({"metadata": {}}).to_string().into()).map(Arc::new);
        }
        self.0.hears(&options.field_manager)?;
        if self.0.current().is_some() {
            return Err(Status::already_exists("", "leases", LOCK).into());
        }
        Ok(self.0.store(read(&body)))
    }

    async fn update(&self, _: &Key, body: Bytes, options: &WriteOptions) -> Result<Arc<Object>> {
        self.0.hears(&options.field_manager)?;
        let (new, old) = (read(&body), self.0.current().map_or(0, |old| old.resource_version()));
        if new["metadata"]["resourceVersion"].as_str() != Some(&*old.to_string()) {
            return Err(Status::conflict("", "leases", LOCK, "changed").into());
        }
        Ok(self.0.store(new))
    }

    async fn patch(&self, _: &Key, _: Patch, _: &WriteOptions) -> Result<Arc<Object>> {
        unreachable!("leases are updated")
    }

    async fn delete(&self, _: &Key, _: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        unreachable!("the fence lets no delete through")
    }

    async fn delete_collection(&self, _: &Scope, _: &ListOptions, _: &DeleteOptions) -> Result<()> {
        unreachable!("leases stay")
    }
}
