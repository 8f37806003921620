//! A client whose requests fail, whose answers get lost, and whose watches lag, stutter and break.

use crate::trouble::Trouble;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use std::sync::Arc;
use windlass_core::client::{
    Client, DeleteOptions, Key, ListOptions, Patch, Reader, Scope, WatchBatch, WatchStream,
    Watcher, WriteOptions, Writer,
};
use windlass_core::meta::{Reason, Status};
use windlass_core::{Error, Object, ObjectList, Result};

pub(crate) struct Unreliable {
    pub(crate) inner: Arc<dyn Client>,
    pub(crate) trouble: Arc<Trouble>,
}

fn lost(what: &str) -> Error {
    Error::Transport(format!("{what} got lost"))
}

fn refused(reason: Reason) -> Error {
    Status::failure(reason, "by chance").into()
}

impl Unreliable {
    async fn read<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.trouble.pause().await;
        if self.trouble.happens(3) {
            return Err(lost("a question"));
        }
        let answer = call.await;
        self.trouble.pause().await;
        answer
    }

    /// What has reached the server is done, whether somebody waits for the answer or not.
    async fn write<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.trouble.pause().await;
        if self.trouble.happens(4) {
            return Err(lost("a request"));
        }
        if self.trouble.happens(4) {
            return Err(refused(Reason::TooManyRequests));
        }
        let answer = tokio::spawn(call).await.expect("no panic");
        self.trouble.pause().await;
        if self.trouble.happens(6) {
            return Err(lost("an answer"));
        }
        answer
    }

    /// A write to an object that another may have changed.
    async fn change<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        if self.trouble.happens(4) {
            return Err(refused(Reason::Conflict));
        }
        self.write(call).await
    }
}

#[async_trait]
impl Reader for Unreliable {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        self.read(self.inner.get(key)).await
    }

    async fn list(&self, scope: &Scope, options: &ListOptions) -> Result<ObjectList> {
        self.read(self.inner.list(scope, options)).await
    }
}

#[async_trait]
impl Watcher for Unreliable {
    async fn watch(&self, scope: &Scope, options: &ListOptions) -> Result<WatchStream> {
        let events = self.read(self.inner.watch(scope, options)).await?;
        let state = Some((events, self.trouble.clone(), None));
        Ok(stream::unfold(state, |state| async move { next(state?).await }).boxed())
    }
}

type Watching = (WatchStream, Arc<Trouble>, Option<WatchBatch>);

/// What comes next: late, or once more; or the end.
async fn next(
    (mut events, trouble, again): Watching,
) -> Option<(Result<WatchBatch>, Option<Watching>)> {
    if let Some(batch) = again {
        return Some((Ok(batch), Some((events, trouble, None))));
    }
    let batch = events.next().await?;
    trouble.pause().await;
    if trouble.happens(2) {
        return Some((Err(refused(Reason::Expired)), None));
    }
    if trouble.happens(2) {
        return None;
    }
    let again = batch.as_ref().ok().filter(|_| trouble.happens(15)).cloned();
    Some((batch, Some((events, trouble, again))))
}

#[async_trait]
impl Writer for Unreliable {
    async fn create(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        let (inner, key, options) = (self.inner.clone(), key.clone(), options.clone());
        self.write(async move { inner.create(&key, object, &options).await }).await
    }

    async fn update(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        let (inner, key, options) = (self.inner.clone(), key.clone(), options.clone());
        self.change(async move { inner.update(&key, object, &options).await }).await
    }

    async fn patch(&self, key: &Key, patch: Patch, options: &WriteOptions) -> Result<Arc<Object>> {
        let (inner, key, options) = (self.inner.clone(), key.clone(), options.clone());
        self.change(async move { inner.patch(&key, patch, &options).await }).await
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        let (inner, key, options) = (self.inner.clone(), key.clone(), options.clone());
        self.change(async move { inner.delete(&key, &options).await }).await
    }

    async fn delete_collection(
        &self,
        scope: &Scope,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<()> {
        let (inner, scope) = (self.inner.clone(), scope.clone());
        let (list, options) = (list.clone(), options.clone());
        self.write(async move { inner.delete_collection(&scope, &list, &options).await }).await
    }
}
