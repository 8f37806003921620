//! The client over the network. Transport, kubeconfig, TLS and exec plugins are the `kube` crate's.

mod answer;
mod stream;

use super::{
    DeleteOptions, Discovery, Key, ListOptions, Patch, Reader, Scope, WatchStream, Watcher,
    WriteOptions, Writer,
};
use crate::error::{Error, Result};
use crate::object::{Object, ObjectList};
use crate::request::{key_path, scope_path, watch_path, with_query};
use crate::scheme::{GroupVersion, ResourceInfo, read_resources};
use answer::{Answer, transport};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, header};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An answer that takes longer is not waited for. The server gives up a little earlier itself, and says why.
const DEADLINE: Duration = Duration::from_secs(65);

/// A client that speaks to a server through any `kube::Client`. Every request has a deadline; a watch without
/// `timeout_seconds` ends, without an error, after five to ten minutes.
#[derive(Clone)]
pub struct RemoteClient {
    kube: kube::Client,
}

impl RemoteClient {
    /// Over a client of the `kube` crate, however that was configured.
    #[must_use]
    pub fn new(kube: kube::Client) -> Self {
        Self { kube }
    }

    /// From a kubeconfig file.
    ///
    /// # Errors
    /// When the file can't be read or its credentials can't be used.
    pub async fn from_kubeconfig(path: &std::path::Path) -> Result<Self> {
        let bad = |error: &dyn std::fmt::Display| {
            Error::decode(format!("kubeconfig {}", path.display()), error)
        };
        let file = kube::config::Kubeconfig::read_from(path).map_err(|error| bad(&error))?;
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(file, &options).await;
        let config = config.map_err(|error| bad(&error))?;
        Ok(Self::new(kube::Client::try_from(config).map_err(|error| bad(&error))?))
    }

    /// Sends a request and waits for the head of the answer.
    async fn send(&self, method: Method, uri: &str, body: Body) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(uri);
        request = request.header(header::ACCEPT, "application/json");
        if let Some(media_type) = body.media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        let request = request
            .body(kube::client::Body::from(body.bytes))
            .map_err(|error| Error::decode(format!("request for {uri}"), error))?;
        let answered = async {
            let response = self.kube.send(request).await.map_err(|error| transport(&error))?;
            Answer::check(response).await
        };
        in_time(answered).await
    }

    /// Sends a request and reads all of the answer.
    async fn ask(&self, method: Method, uri: &str, body: Body) -> Result<Bytes> {
        in_time(async { self.send(method, uri, body).await?.bytes().await }).await
    }

    async fn write(&self, method: Method, uri: &str, body: Body) -> Result<Arc<Object>> {
        Object::from_wire(self.ask(method, uri, body).await?).map(Arc::new)
    }
}

async fn in_time<T>(request: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Error::Transport(format!("no answer after {} s", DEADLINE.as_secs()));
    tokio::time::timeout(DEADLINE, request).await.map_err(late)?
}

/// How long a watch shall last: some minutes, not the same for all, so that they don't all end at once.
fn watch_seconds(uri: &str) -> u64 {
    300 + uri.bytes().fold(0, |sum: u64, byte| (sum * 31 + u64::from(byte)) % 300)
}

struct Body {
    media_type: Option<&'static str>,
    bytes: Bytes,
}

impl Body {
    const NONE: Self = Self { media_type: None, bytes: Bytes::new() };

    fn json(bytes: Bytes) -> Self {
        Self { media_type: Some("application/json"), bytes }
    }

    fn options(options: &DeleteOptions) -> Result<Self> {
        let json = serde_json::to_vec(options).map_err(|e| Error::decode("delete options", e))?;
        Ok(Self::json(json.into()))
    }
}

#[async_trait]
impl Reader for RemoteClient {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        self.write(Method::GET, &key_path(key), Body::NONE).await
    }

    async fn list(&self, scope: &Scope, options: &ListOptions) -> Result<ObjectList> {
        let uri = with_query(&scope_path(scope), &options.to_query());
        let json = self.ask(Method::GET, &uri, Body::NONE).await?;
        ObjectList::from_wire(&json)
    }
}

#[async_trait]
impl Discovery for RemoteClient {
    async fn resources(&self, version: &GroupVersion) -> Result<Vec<Arc<ResourceInfo>>> {
        let root = if version.group.is_empty() { "/api" } else { "/apis" };
        let uri = format!("{root}/{version}");
        let list = self.ask(Method::GET, &uri, Body::NONE).await?;
        read_resources(version, &list).map_err(|error| Error::decode(uri, error))
    }
}

#[async_trait]
impl Watcher for RemoteClient {
    async fn watch(&self, scope: &Scope, options: &ListOptions) -> Result<WatchStream> {
        let seconds = options.timeout_seconds;
        let seconds = seconds.unwrap_or_else(|| watch_seconds(&watch_path(scope, options)));
        let options = ListOptions { timeout_seconds: Some(seconds), ..options.clone() };
        let uri = watch_path(scope, &options);
        let answer = self.send(Method::GET, &uri, Body::NONE).await?;
        let deadline = Duration::from_secs(seconds).saturating_add(DEADLINE);
        Ok(stream::events(answer, Instant::now() + deadline.min(Duration::from_secs(1 << 30))))
    }
}

#[async_trait]
impl Writer for RemoteClient {
    async fn create(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        // A collection is posted to; an object's subresource too, under the object's name.
        let path = if key.subresource.is_some() { key_path(key) } else { scope_path(&key.scope()) };
        let uri = with_query(&path, &options.to_query());
        self.write(Method::POST, &uri, Body::json(object)).await
    }

    async fn update(
        &self,
        key: &Key,
        object: Bytes,
        options: &WriteOptions,
    ) -> Result<Arc<Object>> {
        let uri = with_query(&key_path(key), &options.to_query());
        self.write(Method::PUT, &uri, Body::json(object)).await
    }

    async fn patch(&self, key: &Key, patch: Patch, options: &WriteOptions) -> Result<Arc<Object>> {
        let uri = with_query(&key_path(key), &options.to_query());
        let body = Body { media_type: Some(patch.kind.media_type()), bytes: patch.body };
        self.write(Method::PATCH, &uri, body).await
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        let body = Body::options(options)?;
        let answer = self.ask(Method::DELETE, &key_path(key), body).await?;
        let object = Object::from_wire(answer)?;
        Ok(Some(object).filter(|object| &*object.header().kind != "Status").map(Arc::new))
    }

    async fn delete_collection(
        &self,
        scope: &Scope,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<()> {
        let uri = with_query(&scope_path(scope), &list.to_query());
        self.ask(Method::DELETE, &uri, Body::options(options)?).await.map(drop)
    }
}
