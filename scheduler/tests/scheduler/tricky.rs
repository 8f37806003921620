//! A client that decides what becomes of each creation and patch.

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use windlass_core::client::{
    Client, DeleteOptions, Key, ListOptions, Patch, Reader, Scope, WatchStream, Watcher,
    WriteOptions, Writer,
};
use windlass_core::{Error, Object, ObjectList, Result};

/// What becomes of it.
pub(crate) enum Fate {
    Done,
    /// It is done so much later.
    Late(Duration),
    /// It is done, and nobody hears of it.
    AnswerLost,
    /// Who asks for it breaks off.
    Panic,
}

pub(crate) struct Tricky {
    inner: Arc<dyn Client>,
    fate: Box<dyn Fn(&Key) -> Fate + Send + Sync>,
}

impl Tricky {
    pub(crate) fn new(
        inner: Arc<dyn Client>,
        fate: impl Fn(&Key) -> Fate + Send + Sync + 'static,
    ) -> Self {
        Self { inner, fate: Box::new(fate) }
    }
}

#[async_trait]
impl Reader for Tricky {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        self.inner.get(key).await
    }

    async fn list(&self, scope: &Scope, o: &ListOptions) -> Result<ObjectList> {
        self.inner.list(scope, o).await
    }
}

#[async_trait]
impl Watcher for Tricky {
    async fn watch(&self, scope: &Scope, o: &ListOptions) -> Result<WatchStream> {
        self.inner.watch(scope, o).await
    }
}

#[async_trait]
impl Writer for Tricky {
    async fn create(&self, key: &Key, body: Bytes, o: &WriteOptions) -> Result<Arc<Object>> {
        match (self.fate)(key) {
            Fate::Done => self.inner.create(key, body, o).await,
            Fate::Late(time) => {
                tokio::time::sleep(time).await;
                self.inner.create(key, body, o).await
            }
            Fate::AnswerLost => {
                self.inner.create(key, body, o).await?;
                Err(Error::Transport("the connection broke".into()))
            }
            Fate::Panic => panic!("on purpose"),
        }
    }

    async fn update(&self, key: &Key, body: Bytes, o: &WriteOptions) -> Result<Arc<Object>> {
        self.inner.update(key, body, o).await
    }

    async fn patch(&self, key: &Key, patch: Patch, o: &WriteOptions) -> Result<Arc<Object>> {
        if let Fate::Panic = (self.fate)(key) {
            panic!("on purpose");
        }
        self.inner.patch(key, patch, o).await
    }

    async fn delete(&self, key: &Key, o: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        self.inner.delete(key, o).await
    }

    async fn delete_collection(
        &self,
        scope: &Scope,
        list: &ListOptions,
        o: &DeleteOptions,
    ) -> Result<()> {
        self.inner.delete_collection(scope, list, o).await
    }
}
