//! A small HTTP server for answers that are at hand.

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
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
const MAX_CONNECTIONS: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An answer: status, content type, body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

/// Answers GET and HEAD by path; `None` is "not found".
pub(crate) trait Answers: Send + Sync + 'static {
    fn get(&self, path: &str) -> Option<Answer>;
}

/// Binds an address; the error names it.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let failed = |error: io::Error| {
        io::Error::new(error.kind(), format!("health address {address}: {error}"))
    };
    TcpListener::bind(address).await.map_err(failed)
}

/// Serves until dropped.
pub(crate) async fn serve(answers: Arc<dyn Answers>, listener: TcpListener) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let answers = answers.clone();
        connections.spawn(async move {
            let answer = service_fn(|request| std::future::ready(respond(&*answers, &request)));
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

fn respond(
    answers: &dyn Answers,
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = match *request.method() {
        Method::GET | Method::HEAD => answers
            .get(request.uri().path())
            .unwrap_or_else(|| Answer::text(StatusCode::NOT_FOUND, "not found")),
        _ => Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
    Ok(response)
}

// === impl Answer ===

impl Answer {
    pub(crate) fn text(status: StatusCode, line: &str) -> Self {
        Self { status, kind: "text/plain", body: format!("{line}\n") }
    }

    /// Some lines.
    pub(crate) fn plain(body: String) -> Self {
        Self { status: StatusCode::OK, kind: "text/plain; charset=utf-8", body }
    }

    /// JSON; 503 unless `ok`.
    pub(crate) fn json(ok: bool, body: &serde_json::Value) -> Self {
        let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Self { status, kind: "application/json", body: body.to_string() }
    }
}
