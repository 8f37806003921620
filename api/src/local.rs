//! The client in the same process. It enters by the same door as HTTP, and skips only encoding. What another server
//! serves behind this one it asks for as over HTTP.

mod behind;

pub(crate) use behind::LocalUser;

use crate::authentication::User;
use crate::handler::{Action, Answer, Content, Request};
use crate::registry::{Body, client_events, unknown_resource};
use crate::server::ApiServer;
use async_trait::async_trait;
use behind::Behind;
use bytes::Bytes;
use std::sync::Arc;
use windlass_core::client::remote::RemoteClient;
use windlass_core::client::{
    DeleteOptions, Discovery, Key, ListOptions, Patch, Reader, Scope, WatchStream, Watcher,
    WriteOptions, Writer,
};
use windlass_core::meta::{Reason, Status};
use windlass_core::request::ResourceTarget;
use windlass_core::scheme::{GroupVersion, GroupVersionResource, ResourceInfo};
use windlass_core::{Object, ObjectList, Result};

/// A client of a server in this process, as a user. Cheap to clone.
#[derive(Clone)]
pub struct LocalClient {
    server: Arc<ApiServer>,
    user: User,
    behind: Behind,
}

// === impl LocalClient ===

impl LocalClient {
    /// A client as a user; what he may do is decided as for anybody else.
    #[must_use]
    pub fn new(server: Arc<ApiServer>, user: User) -> Self {
        Self { server, user, behind: Behind::default() }
    }

    /// The client to ask when another server serves a resource.
    fn elsewhere(&self, resource: &GroupVersionResource) -> Option<&RemoteClient> {
        let aggregator = self.server.aggregator.as_ref()?;
        aggregator.serves(resource).then(|| self.behind.client(&self.server, &self.user))
    }

    async fn ask(&self, target: ResourceTarget, action: Action) -> Result<Content> {
        let request = Request { user: self.user.clone(), target, action };
        let Answer { content, .. } = self.server.handle(request).await?;
        Ok(content)
    }

    async fn object(&self, key: &Key, action: Action) -> Result<Arc<Object>> {
        match self.ask(target(key), action).await? {
            Content::Object(object) => Ok(object),
            // What a binding or an eviction is answered with.
            Content::Status(status) => Ok(Arc::new(status_object(&status)?)),
            Content::List(_) | Content::Watch(_) => Err(unexpected()),
        }
    }

    fn named(&self, options: &WriteOptions) -> WriteOptions {
        let mut options = options.clone();
        if options.field_manager.is_empty() {
            options.field_manager.clone_from(&self.user.name);
        }
        options
    }
}

#[async_trait]
impl Reader for LocalClient {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        if let Some(client) = self.elsewhere(&key.resource) {
            return client.get(key).await;
        }
        self.object(key, Action::Get).await
    }

    async fn list(&self, scope: &Scope, options: &ListOptions) -> Result<ObjectList> {
        if let Some(client) = self.elsewhere(&scope.resource) {
            return client.list(scope, options).await;
        }
        match self.ask(all(scope), Action::List(options.clone())).await? {
            Content::List(list) => Ok(list),
            _ => Err(unexpected()),
        }
    }
}

#[async_trait]
impl Watcher for LocalClient {
    async fn watch(&self, scope: &Scope, options: &ListOptions) -> Result<WatchStream> {
        if let Some(client) = self.elsewhere(&scope.resource) {
            return client.watch(scope, options).await;
        }
        match self.ask(all(scope), Action::Watch(options.clone())).await? {
            Content::Watch(events) => Ok(client_events(events)),
            _ => Err(unexpected()),
        }
    }
}

#[async_trait]
impl Writer for LocalClient {
    async fn create(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        if let Some(client) = self.elsewhere(&key.resource) {
            return client.create(key, object, &self.named(options)).await;
        }
        let mut key = key.clone();
        if key.subresource.is_none() {
            // As over HTTP: a collection is posted to, the name is the object's.
            key.name.clear();
        }
        self.object(&key, Action::Create(Body::json(object), self.named(options))).await
    }

    async fn update(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        if let Some(client) = self.elsewhere(&key.resource) {
            return client.update(key, object, &self.named(options)).await;
        }
        self.object(key, Action::Update(Body::json(object), self.named(options))).await
    }

    async fn patch(&self, key: &Key, patch: Patch, options: &WriteOptions) -> Result<Arc<Object>> {
        if let Some(client) = self.elsewhere(&key.resource) {
            return client.patch(key, patch, &self.named(options)).await;
        }
        self.object(key, Action::Patch(patch, self.named(options))).await
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        if let Some(client) = self.elsewhere(&key.resource) {
            return client.delete(key, options).await;
        }
        match self.ask(target(key), Action::Delete(options.clone())).await? {
            Content::Object(object) => Ok(Some(object)),
            Content::Status(_) => Ok(None),
            Content::List(_) | Content::Watch(_) => Err(unexpected()),
        }
    }

    async fn delete_collection(
        &self,
        scope: &Scope,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<()> {
        if let Some(client) = self.elsewhere(&scope.resource) {
            return client.delete_collection(scope, list, options).await;
        }
        let action = Action::DeleteCollection(list.clone(), options.clone());
        self.ask(all(scope), action).await.map(drop)
    }
}

#[async_trait]
impl Discovery for LocalClient {
    async fn resources(&self, version: &GroupVersion) -> Result<Vec<Arc<ResourceInfo>>> {
        if self.server.aggregator.as_ref().is_some_and(|others| others.is_silent(version)) {
            let why = format!("the server of {version} has not said what it serves");
            return Err(Status::failure(Reason::ServiceUnavailable, why).into());
        }
        let own = self.server.objects().resources().all();
        let own = own.iter().map(|entry| entry.discovered()).collect();
        let mut all = match &self.server.aggregator {
            Some(aggregator) => aggregator.merged(own),
            None => own,
        };
        all.retain(|info| info.gvr.group_version() == *version);
        if all.is_empty() { Err(unknown_resource().into()) } else { Ok(all) }
    }
}

fn target(key: &Key) -> ResourceTarget {
    ResourceTarget {
        resource: key.resource.clone(),
        namespace: key.namespace.clone(),
        name: Some(key.name.clone()).filter(|name| !name.is_empty()),
        subresource: key.subresource.clone(),
        rest: String::new(),
    }
}

fn all(scope: &Scope) -> ResourceTarget {
    ResourceTarget {
        resource: scope.resource.clone(),
        namespace: scope.namespace.clone(),
        name: None,
        subresource: None,
        rest: String::new(),
    }
}

fn status_object(status: &Status) -> Result<Object> {
    let json = serde_json::to_vec(status);
    Object::from_wire(json.map_err(Status::internal)?.into())
}

fn unexpected() -> windlass_core::Error {
    Status::internal("the answer is of another kind than the question").into()
}
