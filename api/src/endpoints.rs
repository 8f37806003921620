//! HTTP: from requests to what [`crate::handler`] takes, and from its answers to bytes.

mod aggregated;
mod body;
mod connect;
mod documents;
mod encode;
mod health;
mod list;
mod negotiate;
mod paths;
mod query;
mod resource;
mod respond;
mod watch;

pub use body::{Body, BodyError, RequestBody};

pub(crate) use body::boxed;
pub(crate) use documents::Documents;

use crate::admission::notes;
use crate::audit::{Record, audit_id};
use crate::filters;
use crate::handler::{Seen, too_busy};
use crate::server::ApiServer;
use crate::telemetry;
use http::{HeaderValue, Request, Response};
use std::sync::Arc;
use tracing::Instrument;
use windlass_core::request::{RequestInfo, Target, parse};

/// What is said in the name of a server that is there no longer.
pub(crate) fn gone() -> Response<Body> {
    respond::text(http::StatusCode::SERVICE_UNAVAILABLE, "the server has ended\n")
}

/// Answers an HTTP request. Never fails: what goes wrong is in the answer.
pub(crate) async fn serve(server: Arc<ApiServer>, request: Request<RequestBody>) -> Response<Body> {
    let uri = request.uri();
    let info = parse(request.method(), uri.path(), uri.query());
    let headers = request.headers().len();
    let id = audit_id(request.headers(), server.env());
    // What answers is large, and on its way through the filters it would be moved at each of them.
    let span = telemetry::request(&server.handler, &info, &request, &id);
    let answer = Box::pin(route(&server, &info, &id, request));
    let answer = filters::guarded(&server, &info, headers, answer);
    let mut response = answer.instrument(span.clone()).await;
    telemetry::answered(&span, response.status().as_u16());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("audit-id", id);
    }
    response
}

async fn route(
    server: &Arc<ApiServer>,
    info: &RequestInfo,
    id: &str,
    request: Request<RequestBody>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let accepted = respond::for_refusals(&parts.headers);
    let visit = filters::Visit::new(info);
    let (user, impersonator) = match filters::authenticate(server, &parts)
        .instrument(telemetry::step("Authentication"))
        .await
    {
        Ok(known) => known,
        Err(refusal) => {
            let status = refusal.record(server, &visit, (id, &parts));
            return respond::refuse(&accepted, &status);
        }
    };
    let record = visit.record(server, &user, impersonator, (id, &parts));
    if let Some(Err(status)) = record.as_ref().map(Record::check) {
        let response = respond::refuse(&accepted, &status);
        return filters::recorded(record, response, Some(&status));
    }
    let mut permit = match visit.admit(server, &user).await {
        Ok(permit) => permit,
        Err(refusal) => {
            if let Some(record) = record {
                record.complete(refusal.status().as_u16(), Some(&too_busy()));
            }
            return refusal;
        }
    };
    let aggregator = server.aggregator.as_deref();
    let behind = aggregator.and_then(|known| Some((known, known.route(&info.path)?)));
    let mut warnings = Vec::new();
    let answer = match (&behind, &info.target) {
        (Some((aggregator, route)), _) => {
            let request = Request::from_parts(parts, body);
            let (seen, who) = (visit.seen(), (&user, record.as_ref()));
            aggregated::serve(server, (aggregator, route), info, seen, who, request).await
        }
        (None, Target::Resource(target)) => {
            let request = Request::from_parts(parts, body);
            let whole = Seen::of(target, None);
            let seen = visit.seen().unwrap_or(&whole);
            let record = record.as_ref();
            let seen_by = (&mut permit, record);
            let work = resource::serve(server, info, (target, seen), user, request, seen_by);
            if resource::is_admitted(info, target) {
                let (answer, noted) = notes::collect(Box::pin(work)).await;
                record.into_iter().for_each(|record| record.noted(&noted));
                warnings = noted.warnings;
                answer
            } else {
                work.await
            }
        }
        (None, Target::Path) => paths::serve(server, info, &user, &parts, record.as_ref()).await,
    };
    let failure = answer.as_ref().err().cloned();
    let mut response = answer.unwrap_or_else(|status| respond::refuse(&accepted, &status));
    respond::warn(&mut response, &warnings);
    let response = permit.mark(response, server.limits.request_timeout);
    filters::recorded(record, response, failure.as_ref())
}
