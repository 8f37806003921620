//! Health and metrics over HTTP, with kube-proxy's paths.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use windlass_core::clock::Env;

use crate::metrics;

/// Changes that wait for longer than this make the proxy unhealthy.
const STALE_AFTER: SignedDuration = SignedDuration::from_secs(60);
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_CONNECTIONS: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How syncing goes; written by the proxy, read by the server.
#[derive(Debug, Default)]
pub(crate) struct Health {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    last_synced: Option<Timestamp>,
    failing_since: Option<Timestamp>,
}

/// Serves `/healthz`, `/livez` and `/metrics`.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) health: Arc<Health>,
    pub(crate) registry: Registry,
    pub(crate) env: Env,
}

// === impl Health ===

impl Health {
    pub(crate) fn synced(&self, now: Timestamp) {
        *self.state.lock() = State { last_synced: Some(now), failing_since: None };
    }

    pub(crate) fn failed(&self, now: Timestamp) {
        self.state.lock().failing_since.get_or_insert(now);
    }

    /// Whether rules are, or soon will be, what they should be.
    fn is_healthy(&self, now: Timestamp) -> bool {
        let state = *self.state.lock();
        let failing =
            state.failing_since.is_some_and(|since| now.duration_since(since) > STALE_AFTER);
        state.last_synced.is_some() && !failing
    }
}

// === impl Server ===

impl Server {
    /// Serves until dropped.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let server = Arc::new(self);
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            let permit =
                permits.clone().acquire_owned().await.expect("the semaphore is never closed");
            while connections.try_join_next().is_some() {}
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let server = server.clone();
            connections.spawn(async move {
                let answer = service_fn(|request| std::future::ready(server.answer(&request)));
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), answer);
                if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
                    tracing::debug!(%error, "health connection ended");
                }
                drop(permit);
            });
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (status, kind, body) = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz" | "/livez") => self.health(),
            (&Method::GET | &Method::HEAD, "/metrics") => self.metrics(),
            (&Method::GET | &Method::HEAD, _) => {
                (StatusCode::NOT_FOUND, "text/plain", "not found\n".to_owned())
            }
            _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Ok(response)
    }

    fn health(&self) -> (StatusCode, &'static str, String) {
        let now = self.env.clock.now();
        let healthy = self.health.is_healthy(now);
        let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::json!({
            "lastUpdated": self.health.state.lock().last_synced,
            "currentTime": now,
            "healthy": healthy,
        });
        (status, "application/json", body.to_string())
    }

    fn metrics(&self) -> (StatusCode, &'static str, String) {
        match metrics::text(&self.registry) {
            Ok(text) => {
                (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
            }
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
        }
    }
}

/// Binds the server's address.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("health address {address}: {error}")))
}
