//! Requests for the tests of plugins.

use super::{Admission, AdmissionRequest, Operation};
use crate::authentication::User;
use crate::server::ApiServer;
use crate::storage::{EventStream, ListQuery, Page, ReadVersion, Resource, Storage, WatchQuery};
use crate::strategy::Map;
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{DeleteOptions, WriteOptions};
use windlass_core::meta::Status;
use windlass_core::scheme::GroupVersionResource;
use windlass_store::{Committed, Txn};

/// Something that is asked of a plugin: to create an object in the namespace `ns`, if nothing else is said.
#[derive(Clone)]
pub(super) struct Ask {
    operation: Operation,
    resource: GroupVersionResource,
    subresource: &'static str,
    namespace: &'static str,
    name: &'static str,
    user: User,
    object: Option<Map>,
    old: Option<Map>,
    behind: bool,
}

/// Storage whose cache has not heard of anything yet.
struct Behind(Arc<dyn Storage>);

#[async_trait]
impl Storage for Behind {
    async fn get(
        &self,
        resource: &Arc<Resource>,
        key: &Bytes,
        at: ReadVersion,
    ) -> Result<Option<Arc<Object>>, Status> {
        match at {
            ReadVersion::Any => Ok(None),
            at => self.0.get(resource, key, at).await,
        }
    }

    async fn list(&self, query: &ListQuery) -> Result<Page, Status> {
        self.0.list(query).await
    }

    async fn watch(&self, query: WatchQuery) -> Result<EventStream, Status> {
        self.0.watch(query).await
    }

    async fn commit(&self, txn: Txn) -> windlass_store::Result<Committed> {
        self.0.commit(txn).await
    }
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Answer {
    /// The object as the plugin left it.
    pub(super) result: Result<Value, Status>,
    pub(super) warnings: Vec<String>,
    pub(super) annotations: Vec<(String, String)>,
}

fn map(value: &Value) -> Option<Map> {
    value.as_object().cloned()
}

impl Ask {
    pub(super) fn create(resource: GroupVersionResource, object: &Value) -> Self {
        Self {
            operation: Operation::Create,
            resource,
            subresource: "",
            namespace: "ns",
            name: "x",
            user: User::admin(),
            object: map(object),
            old: None,
            behind: false,
        }
    }

    pub(super) fn update(resource: GroupVersionResource, old: &Value, object: &Value) -> Self {
        let create = Self::create(resource, object);
        Self { operation: Operation::Update, old: map(old), ..create }
    }

    pub(super) fn delete(resource: GroupVersionResource, old: &Value) -> Self {
        let create = Self::create(resource, &Value::Null);
        Self { operation: Operation::Delete, old: map(old), ..create }
    }

    pub(super) fn through(self, subresource: &'static str) -> Self {
        Self { subresource, ..self }
    }

    pub(super) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(super) fn within(self, namespace: &'static str) -> Self {
        Self { namespace, ..self }
    }

    pub(super) fn by(self, user: User) -> Self {
        Self { user, ..self }
    }

    /// To a server whose cache has not heard of anything yet.
    pub(super) fn behind(self) -> Self {
        Self { behind: true, ..self }
    }

    /// Asks both steps of a plugin, if it has a say at all.
    pub(super) async fn of(self, plugin: &dyn Admission, server: &ApiServer) -> Answer {
        let mut asked = Answer { result: Ok(json!(null)), warnings: vec![], annotations: vec![] };
        let handles = plugin.handles(self.operation, &self.resource);
        let answer = &mut asked;
        self.with(server, async |request| {
            let result = match handles {
                true => match plugin.admit(request).await {
                    Ok(()) => plugin.validate(request).await,
                    error => error,
                },
                false => Ok(()),
            };
            let object = request.object.take().map_or(Value::Null, Value::Object);
            answer.result = result.map(|()| object);
            answer.warnings = std::mem::take(&mut request.warnings);
            answer.annotations = std::mem::take(&mut request.annotations);
        })
        .await;
        asked
    }

    /// Makes the request and does something with it.
    pub(super) async fn with<T>(
        &self,
        server: &ApiServer,
        then: impl AsyncFnOnce(&mut AdmissionRequest<'_>) -> T,
    ) -> T {
        let entry = server.objects().entry(&self.resource).unwrap();
        let (options, delete) = (WriteOptions::default(), DeleteOptions::default());
        let own = server.objects();
        let objects = match self.behind {
            true => own.over(Arc::new(Behind(own.storage.clone()))),
            false => own.clone(),
        };
        let mut request = AdmissionRequest {
            operation: self.operation,
            resource: &self.resource,
            kind: &entry.stored,
            subresource: self.subresource,
            namespace: self.namespace,
            name: self.name,
            user: &self.user,
            object: self.object.clone(),
            old: self.old.as_ref(),
            options: &options,
            delete: Some(&delete).filter(|_| self.operation == Operation::Delete),
            objects: &objects,
            warnings: vec![],
            annotations: vec![],
            entry: &entry,
            env: server.env(),
            metrics: &server.metrics.admission,
            reinvocation: Default::default(),
        };
        then(&mut request).await
    }
}

impl Answer {
    /// Why it was refused; empty when it was not.
    pub(super) fn refusal(&self) -> String {
        self.result.as_ref().err().map(|status| status.message.clone()).unwrap_or_default()
    }
}
