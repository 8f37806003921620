//! What this server itself asks the servers behind it: within limits of time and size.

use super::proxy::identify;
use super::routes::Route;
use crate::authentication::{MASTERS, User};
use crate::nodes::backend::Backend;
use crate::nodes::client;
use crate::nodes::headers;
use bytes::Bytes;
use http::header::{ACCEPT, ETAG, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use std::time::Duration;
use windlass_core::meta::Status;

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Longer answers are not read.
const LIMIT: usize = 8 << 20;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that was read.
pub(super) struct Fetched {
    pub(super) code: StatusCode,
    pub(super) etag: Option<String>,
    pub(super) body: Bytes,
}

/// The document under a path; nothing of it when it has this tag.
pub(super) async fn get(
    route: &Route,
    backend: &Backend,
    path: &str,
    known: Option<&str>,
) -> Result<Fetched, String> {
    let asked = tokio::time::timeout(WITHIN, ask(route, backend, path, known)).await;
    asked.map_err(|_| format!("no answer within {} s", WITHIN.as_secs()))?
}

async fn ask(
    route: &Route,
    backend: &Backend,
    path: &str,
    known: Option<&str>,
) -> Result<Fetched, String> {
    let mut head = HeaderMap::from_iter([(ACCEPT, JSON)]);
    if let Some(tag) = known.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        head.insert(IF_NONE_MATCH, tag);
    }
    identify(&mut head, &User::new("system:kube-aggregator", [MASTERS]));
    let refused = |status: Status| status.message;
    let request = headers::request(Method::GET, path, backend, head).map_err(refused)?;
    let tls = route.tls().await?;
    let name = route.reference.server_name();
    let reply = client::send(backend, Some((tls, &name)), request, WITHIN).await;
    let reply = reply.map_err(|error| error.to_string())?;
    let code = reply.response.status();
    let etag = reply.response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    let etag = etag.map(str::to_owned);
    let body = reply.read(LIMIT).await.map_err(|error| error.to_string())?;
    Ok(Fetched { code, etag, body })
}
