//! What goes over the wire: media types, codes, frames, documents.

mod crds;
mod endpoints;
mod every_kind;
mod metrics;
mod observed;
mod reads;
mod refusals;
mod subresources;
mod users;
mod watches;
mod writes;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;
use windlass_api::endpoints::Body;
use windlass_api::server::{ApiServer, Builder};

/// A server without a socket.
pub(crate) struct Http {
    pub(crate) server: Arc<ApiServer>,
}

/// An answer that was read to its end.
pub(crate) struct Read {
    pub(crate) code: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Http {
    /// With the namespace `default`.
    pub(crate) async fn start() -> Self {
        Self::with(ApiServer::builder()).await
    }

    /// Such a server, with the namespace `default`.
    pub(crate) async fn with(builder: Builder) -> Self {
        let http = Self { server: builder.build().await.expect("a server") };
        http.post("/api/v1/namespaces", &json!({"metadata": {"name": "default"}})).await;
        http
    }

    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Response<Body> {
        let request: Request<Full<Bytes>> = request.body(Full::new(body)).expect("a request");
        self.server.service().oneshot(request).await.expect("it never fails")
    }

    pub(crate) async fn ask(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Read {
        let (parts, body) = self.send(request, body.into()).await.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        Read { code: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Read {
        self.ask(Request::get(path), Bytes::new()).await
    }

    pub(crate) async fn accept(&self, path: &str, accept: &str) -> Read {
        self.ask(Request::get(path).header("accept", accept), Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, object: &Value) -> Value {
        let read = self.ask(Request::post(path), object.to_string()).await;
        assert_eq!(read.code, StatusCode::CREATED, "{}", read.text());
        read.json()
    }

    pub(crate) async fn patch(&self, path: &str, media_type: &str, patch: &Value) -> Read {
        let request = Request::patch(path).header("content-type", media_type);
        self.ask(request, patch.to_string()).await
    }

    pub(crate) async fn method(&self, method: Method, path: &str, body: &Value) -> Read {
        self.ask(Request::builder().method(method).uri(path), body.to_string()).await
    }
}

impl Read {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub(crate) const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";
pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

pub(crate) fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}})
}

pub(crate) fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "x"}},
        "spec": {"containers": [{"name": "c", "image": "x"}]}})
}
