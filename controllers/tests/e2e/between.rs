//! A client between the controllers and the server: some writes fail as a test wants it, and one group of kinds may be
//! another server's.

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use windlass_core::client::{
    Client, DeleteOptions, Key, ListOptions, Patch, Reader, Scope, WatchStream, Watcher,
    WriteOptions, Writer,
};
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::GroupVersionResource;
use windlass_core::{Error, Object, ObjectList, Result};

/// What becomes of a write.
pub(crate) enum Fate {
    Done,
    /// It does not reach the server.
    Refused,
    /// It is done, and nobody hears of that.
    Lost,
}

pub(crate) struct Between {
    pub(crate) server: Arc<dyn Client>,
    /// A group, and the server that has its kinds.
    pub(crate) behind: Option<(&'static str, Arc<dyn Client>)>,
    pub(crate) fate: Box<dyn Fn(&Key) -> Fate + Send + Sync>,
    /// Told of each list that is asked for.
    pub(crate) listed: Box<dyn Fn(&Scope) + Send + Sync>,
}

impl Between {
    /// All goes well but for what `fate` says.
    pub(crate) fn fails(
        server: Arc<dyn Client>,
        fate: impl Fn(&Key) -> Fate + Send + Sync + 'static,
    ) -> Arc<dyn Client> {
        Arc::new(Self { server, behind: None, fate: Box::new(fate), listed: Box::new(|_| ()) })
    }

    /// All goes well, and `listed` is told what lists are asked for.
    pub(crate) fn tells(
        server: Arc<dyn Client>,
        listed: impl Fn(&Scope) + Send + Sync + 'static,
    ) -> Arc<dyn Client> {
        let fate = Box::new(|_: &Key| Fate::Done);
        Arc::new(Self { server, behind: None, fate, listed: Box::new(listed) })
    }

    fn of(&self, resource: &GroupVersionResource) -> &dyn Client {
        let behind = self.behind.as_ref().filter(|(group, _)| *resource.group == **group);
        behind.map_or(&*self.server, |(_, client)| &**client)
    }

    async fn write<T>(&self, key: &Key, call: impl Future<Output = Result<T>>) -> Result<T> {
        match (self.fate)(key) {
            Fate::Done => call.await,
            Fate::Refused => Err(Status::failure(Reason::InternalError, "on purpose").into()),
            Fate::Lost => {
                call.await?;
                Err(Error::Transport("the answer got lost".into()))
            }
        }
    }
}

#[async_trait]
impl Reader for Between {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        self.of(&key.resource).get(key).await
    }

    async fn list(&self, scope: &Scope, options: &ListOptions) -> Result<ObjectList> {
        (self.listed)(scope);
        self.of(&scope.resource).list(scope, options).await
    }
}

#[async_trait]
impl Watcher for Between {
    async fn watch(&self, scope: &Scope, options: &ListOptions) -> Result<WatchStream> {
        self.of(&scope.resource).watch(scope, options).await
    }
}

#[async_trait]
impl Writer for Between {
    async fn create(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        self.write(key, self.of(&key.resource).create(key, object, options)).await
    }

    async fn update(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        self.write(key, self.of(&key.resource).update(key, object, options)).await
    }

    async fn patch(&self, key: &Key, patch: Patch, options: &WriteOptions) -> Result<Arc<Object>> {
        self.write(key, self.of(&key.resource).patch(key, patch, options)).await
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        self.write(key, self.of(&key.resource).delete(key, options)).await
    }

    async fn delete_collection(
        &self,
        scope: &Scope,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<()> {
        self.of(&scope.resource).delete_collection(scope, list, options).await
    }
}
