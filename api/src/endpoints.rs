//! HTTP: from requests to what [`crate::handler`] takes, and from its answers to bytes.

mod body;
mod documents;
mod encode;
mod health;
mod list;
mod metrics;
mod negotiate;
mod paths;
mod query;
mod resource;
mod respond;
mod watch;

pub use body::{Body, BodyError, RequestBody};

pub(crate) use body::boxed;
pub(crate) use documents::Documents;
pub(crate) use metrics::Metrics;

use crate::filters;
use crate::server::ApiServer;
use http::{Request, Response};
use std::sync::Arc;
use windlass_core::request::{RequestInfo, Target, parse};

/// Answers an HTTP request. Never fails: what goes wrong is in the answer.
pub(crate) async fn serve(server: Arc<ApiServer>, request: Request<RequestBody>) -> Response<Body> {
    let uri = request.uri();
    let info = parse(request.method(), uri.path(), uri.query());
    let headers = request.headers().len();
    filters::guarded(&server, &info, headers, route(&server, &info, request)).await
}

async fn route(
    server: &Arc<ApiServer>,
    info: &RequestInfo,
    request: Request<RequestBody>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let user = match filters::authenticate(server, &parts).await {
        Ok(user) => user,
        Err(status) => return respond::refuse(&parts.headers, &status),
    };
    let headers = parts.headers.clone();
    let visit = filters::Visit::new(info);
    let permit = match visit.admit(server, &user).await {
        Ok(permit) => permit,
        Err(refusal) => return refusal,
    };
    let answer = match &info.target {
        Target::Resource(target) => {
            let request = Request::from_parts(parts, body);
            let seen = visit.target().unwrap_or(target);
            resource::serve(server, info, (target, seen), user, request).await
        }
        Target::Path => paths::serve(server, info, &user, &parts).await,
    };
    let response = answer.unwrap_or_else(|status| respond::refuse(&headers, &status));
    permit.mark(response, server.limits.request_timeout)
}
