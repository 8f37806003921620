//! Requests about what another server serves.

use super::{Body, RequestBody, respond};
use crate::aggregation::{Aggregator, Route, Unavailable};
use crate::audit::Record;
use crate::authentication::User;
use crate::authorization::Attributes;
use crate::filters;
use crate::handler::Seen;
use crate::server::ApiServer;
use http::{Response, StatusCode};
use windlass_core::meta::Status;
use windlass_core::request::RequestInfo;

/// The segments of `/apis/GROUP/VERSION`.
const DISCOVERY: usize = 3;

/// Passes on what may be done.
pub(super) async fn serve(
    server: &ApiServer,
    (aggregator, route): (&Aggregator, &Route),
    info: &RequestInfo,
    seen: Option<&Seen<'_>>,
    (user, record): (&User, Option<&Record>),
    request: http::Request<RequestBody>,
) -> Result<Response<Body>, Status> {
    // About paths, roles speak of methods.
    let method = request.method().as_str().to_ascii_lowercase();
    let attributes = match seen {
        Some(seen) => {
            Attributes { path: &info.path, ..seen.attributes_of(user, info.verb.as_str()) }
        }
        None => Attributes::of_path(user, &method, &info.path),
    };
    filters::authorize(server, &attributes, record).await?;
    // Beside its discovery nothing of it is no resource: a path with a slash hidden in a name was seen here as one thing,
    // and would be read there as another.
    if seen.is_none() && info.path.trim_matches('/').split('/').count() > DISCOVERY {
        return Ok(respond::not_found());
    }
    let answer = aggregator.forward(route, user, request).await;
    Ok(answer.unwrap_or_else(|Unavailable(why)| {
        respond::text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
    }))
}
