//! What surrounds every HTTP request: who asks, how much at once, how long, and what if it goes wrong.

mod impersonation;

use crate::authentication::{AUTHENTICATED, User};
use crate::endpoints::Body;
use crate::handler::CONVERSATIONS;
use crate::server::ApiServer;
use futures::FutureExt;
use http::request::Parts;
use http::{Response, StatusCode};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::meta::{Reason, Status};
use windlass_core::request::{RequestInfo, Target, Verb};

/// How long an answer may take to begin.
const DEADLINE: Duration = Duration::from_secs(60);

/// Who sent a request.
pub(crate) async fn authenticate(server: &ApiServer, parts: &Parts) -> Result<User, Status> {
    let user = recognize(server, parts).await?;
    impersonation::apply(server, user, &parts.headers).await
}

async fn recognize(server: &ApiServer, parts: &Parts) -> Result<User, Status> {
    for authenticator in &server.authenticators {
        if let Some(mut user) = authenticator.authenticate(parts).await? {
            if !user.is_in(AUTHENTICATED) {
                user.groups.push(AUTHENTICATED.into());
            }
            return Ok(user);
        }
    }
    if server.authenticators.is_empty() {
        // Nobody is asked who he is: everyone is the master of an open server.
        return Ok(User::admin());
    }
    if !server.anonymous || has_token(parts) {
        return Err(Status::failure(Reason::Unauthorized, "Unauthorized"));
    }
    Ok(User::anonymous())
}

/// A token that nobody knew.
fn has_token(parts: &Parts) -> bool {
    let given = parts.headers.get(http::header::AUTHORIZATION);
    let scheme = given.and_then(|value| value.to_str().ok()?.split(' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
}

/// Answers within the limits of the server, and whatever happens.
pub(crate) async fn guarded(
    server: &ApiServer,
    info: &RequestInfo,
    answer: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let start = Instant::now();
    let counted = Counted::new(&server.metrics.inflight);
    let answer = AssertUnwindSafe(limited(server, info, answer)).catch_unwind();
    let response = answer.await.unwrap_or_else(|_| {
        tracing::error!(path = %info.path, "a request made the server panic");
        plain(&Status::internal("the server panicked"))
    });
    drop(counted);
    // A name that nobody serves is a client's own text: it does not belong into metrics.
    let resource = match &info.target {
        Target::Resource(target) if server.handler.find(target).is_ok() => {
            &*target.resource.resource
        }
        _ => "",
    };
    server.metrics.note(info.verb, resource, response.status(), start.elapsed());
    response
}

/// A request among those that are worked on, until it is answered or its client is gone.
struct Counted<'a>(&'a AtomicI64);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicI64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn limited(
    server: &ApiServer,
    info: &RequestInfo,
    answer: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    if is_long(info) {
        return answer.await;
    }
    let Ok(_permit) = server.in_flight.try_acquire() else {
        let text = "Too many requests, please try again later.";
        return plain(&Status::failure(Reason::TooManyRequests, text).retry_after(1));
    };
    match tokio::time::timeout(deadline(info), answer).await {
        Ok(response) => response,
        Err(_) => {
            let text = "request did not complete within the allotted timeout";
            plain(&Status::failure(Reason::Timeout, format!("Timeout: {text}")))
        }
    }
}

/// Watches and conversations take as long as they take.
fn is_long(info: &RequestInfo) -> bool {
    let Target::Resource(target) = &info.target else { return false };
    info.verb == Verb::Watch
        || target.subresource.as_deref().is_some_and(|name| CONVERSATIONS.contains(&name))
}

/// A client may ask for less time than there is.
fn deadline(info: &RequestInfo) -> Duration {
    let asked = info.query.iter().find(|(name, _)| name == "timeout");
    let asked = asked.and_then(|(_, value)| value.strip_suffix('s')?.parse().ok());
    asked.map_or(DEADLINE, Duration::from_secs).clamp(Duration::from_secs(1), DEADLINE)
}

fn plain(status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::whole(serde_json::to_vec(status).unwrap_or_default()));
    *response.status_mut() =
        StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
