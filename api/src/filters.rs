//! What surrounds every HTTP request: who asks, how much at once, how long, and what if it goes wrong.

mod impersonation;
mod visit;

pub(crate) use visit::{Admitted, Visit};

use crate::audit::Record;
use crate::authentication::{AUTHENTICATED, User};
use crate::authorization::{Attributes, Decision};
use crate::endpoints::Body;
use crate::handler::CONVERSATIONS;
use crate::local::LocalUser;
use crate::metrics::Asked;
use crate::server::ApiServer;
use futures::FutureExt;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Response, StatusCode};
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::meta::{Reason, Status, parse_duration};
use windlass_core::request::{RequestInfo, Target, Verb};

/// One who is not let in.
pub(crate) struct Refusal {
    pub(crate) status: Status,
    /// Who sent the request, if that is known.
    sender: User,
    /// Whom he may not be, and why.
    decided: Option<(User, String)>,
}

// === impl Refusal ===

impl Refusal {
    /// Records it; of one who may not be another, with the other and the decision.
    pub(crate) fn record(
        self,
        server: &ApiServer,
        visit: &Visit<'_>,
        from: (&str, &Parts),
    ) -> Status {
        let Self { status, sender, decided } = self;
        let (user, sender, why) = match decided {
            Some((wanted, why)) => (wanted, Some(sender), Some(why)),
            None => (sender, None, None),
        };
        if let Some(record) = visit.record(server, &user, sender, from) {
            why.iter().for_each(|why| record.decided(false, why));
            record.complete(status.code, Some(&status));
        }
        status
    }
}

/// Who sent a request; and who really did, when he is somebody else for it.
///
/// # Errors
/// Why not; and who sent it, if that is known.
pub(crate) async fn authenticate(
    server: &ApiServer,
    parts: &Parts,
) -> Result<(User, Option<User>), Refusal> {
    let unknown = |status| Refusal { status, sender: User::default(), decided: None };
    let user = recognize(server, parts).await.map_err(unknown)?;
    match impersonation::apply(server, &user, &parts.headers).await {
        Ok(None) => Ok((user, None)),
        Ok(Some(wanted)) => Ok((wanted, Some(user))),
        Err(impersonation::Refused { status, decided }) => {
            Err(Refusal { status, sender: user, decided })
        }
    }
}

/// Whether it may be done; the decision is recorded.
pub(crate) async fn authorize(
    server: &ApiServer,
    attributes: &Attributes<'_>,
    record: Option<&Record>,
) -> Result<(), Status> {
    let decision = server.handler.authorizer.authorize(attributes).await;
    if let Some(record) = record {
        record.decided(decision.is_allowed(), decision.reason());
    }
    match decision {
        Decision::Allow(_) => Ok(()),
        Decision::Deny(why) | Decision::NoOpinion(why) => Err(attributes.forbidden(&why)),
    }
}

/// Ends the record of a request with its answer; that of a long answer when it is over.
pub(crate) fn recorded(
    record: Option<Record>,
    mut response: Response<Body>,
    failure: Option<&Status>,
) -> Response<Body> {
    let Some(record) = record else { return response };
    let code = response.status().as_u16();
    if response.body().is_stream() {
        record.started(code);
        // What is given back ends at once, when it is dropped.
        drop(response.body_mut().until_end(Ending(record, code)));
    } else {
        record.complete(code, failure);
    }
    response
}

/// Notes the end of a long answer when it is dropped.
struct Ending(Record, u16);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.complete(self.1, None);
    }
}

async fn recognize(server: &ApiServer, parts: &Parts) -> Result<User, Status> {
    if let Some(LocalUser(user)) = parts.extensions.get() {
        return Ok(user.clone());
    }
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
    if !server.anonymous.allows(parts.uri.path()) || has_token(parts) {
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
    headers: usize,
    answer: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let start = Instant::now();
    let asked = asked(server, info);
    let counted = server.metrics.inflight(is_write(info.verb));
    let answer = AssertUnwindSafe(limited(server, info, headers, answer)).catch_unwind();
    let mut response = answer.await.unwrap_or_else(|_| {
        tracing::error!(path = %info.path, "a request made the server panic");
        plain(&Status::internal("the server panicked"))
    });
    drop(counted);
    if response.body().is_stream() {
        drop(response.body_mut().until_end(server.metrics.long(&asked)));
    }
    server.metrics.note(asked, response.status().as_u16(), start.elapsed());
    response
}

fn is_write(verb: Verb) -> bool {
    !matches!(verb, Verb::Get | Verb::List | Verb::Watch)
}

/// What is asked for, in names that the server serves: a client's own text does not belong into metrics.
fn asked(server: &ApiServer, info: &RequestInfo) -> Asked {
    let Target::Resource(target) = &info.target else { return Asked::path(info.verb) };
    let Ok(entry) = server.handler.find(target) else { return Asked::path(info.verb) };
    let scope = match (&target.name, &target.namespace) {
        (Some(_), _) => "resource",
        (None, Some(_)) => "namespace",
        (None, None) => "cluster",
    };
    let dry_run = info.query.iter().any(|(name, value)| name == "dryRun" && value == "All");
    let subresource = target.subresource.as_deref();
    Asked::resource(info.verb, &entry, subresource, scope, dry_run)
}

async fn limited(
    server: &ApiServer,
    info: &RequestInfo,
    headers: usize,
    answer: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    let time = match check(server, info, headers) {
        Ok(time) => time,
        Err(refusal) => return plain(&refusal),
    };
    if is_long(info) {
        return answer.await;
    }
    match tokio::time::timeout(time, answer).await {
        Ok(response) => response,
        Err(_) => {
            let text = "request did not complete within the allotted timeout";
            plain(&Status::failure(Reason::Timeout, format!("Timeout: {text}")))
        }
    }
}

/// What can be said of a request before anything is done for it: how long it may take.
fn check(server: &ApiServer, info: &RequestInfo, headers: usize) -> Result<Duration, Status> {
    if server.refusing.is_cancelled() && !is_probe(info) {
        let text = "The apiserver is shutting down, please try again later.";
        return Err(Status::failure(Reason::TooManyRequests, text).retry_after(5));
    }
    if headers > server.limits.headers {
        let text = format!("there are more than {} headers", server.limits.headers);
        return Err(Status { code: 431, ..Status::bad_request(text) });
    }
    deadline(info, server.limits.request_timeout)
}

/// Whether somebody asks how the server is.
fn is_probe(info: &RequestInfo) -> bool {
    ["/healthz", "/livez", "/readyz"].iter().any(|probe| info.path.starts_with(probe))
}

/// Watches and conversations take as long as they take.
fn is_long(info: &RequestInfo) -> bool {
    let Target::Resource(target) = &info.target else { return false };
    info.verb == Verb::Watch
        || target.subresource.as_deref().is_some_and(|name| CONVERSATIONS.contains(&name))
}

/// A client may ask for less time than there is.
fn deadline(info: &RequestInfo, most: Duration) -> Result<Duration, Status> {
    let asked = info.query.iter().find(|(name, value)| name == "timeout" && !value.is_empty());
    let Some((_, text)) = asked.filter(|_| !is_long(info)) else { return Ok(most) };
    let asked = parse_duration(text).map_err(|why| {
        Status::bad_request(format!("invalid timeout specified in the request URL - {why}"))
    })?;
    Ok(if asked.is_zero() { most } else { asked.min(most) })
}

/// The verb of a path as roles have it: the method.
fn path_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "post",
        Verb::Update => "put",
        other => other.as_str(),
    }
}

fn plain(status: &Status) -> Response<Body> {
    let mut response = Response::new(Body::whole(serde_json::to_vec(status).unwrap_or_default()));
    *response.status_mut() =
        StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if seconds > 0 {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
