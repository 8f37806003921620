//! Requests that go on to another server. That they may be done was decided before.

use super::Aggregator;
use super::location;
use super::routes::Route;
use crate::authentication::User;
use crate::authentication::request_header::{EXTRA, GROUP, UID, USER};
use crate::endpoints::Body;
use crate::nodes::{client, headers, tunnel};
use crate::server::ConnectRequest;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode, Version};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;

/// How long the head of an answer may take.
const ANSWER: Duration = Duration::from_secs(60);
/// What of a key can stand in the name of a header.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why the other server can't be asked, as clients are told it.
pub(crate) struct Unavailable(pub(crate) String);

// === impl Aggregator ===

impl Aggregator {
    /// The other server's answer, as it comes; upgraded connections are passed through.
    pub(crate) async fn forward(
        &self,
        route: &Route,
        user: &User,
        mut request: ConnectRequest,
    ) -> Result<Response<Body>, Unavailable> {
        let unavailable = || Unavailable("service unavailable".into());
        if !route.is_available() {
            return Err(unavailable());
        }
        let found = location::find(&self.registry.objects, &route.reference, route.turn()).await;
        let backend = found.map_err(|_| unavailable())?;
        let failed = |why: &dyn std::fmt::Display| {
            self.look_again(&route.name);
            Unavailable(format!("error trying to reach service: {why}"))
        };
        let tls = route.tls().await.map_err(|why| failed(&why))?;
        let client = tunnel::asked_for(&mut request);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse();
        *request.uri_mut() = path.map_err(|why| failed(&why))?;
        *request.version_mut() = Version::HTTP_11;
        let head = request.headers_mut();
        headers::pass_on(head);
        headers::set_host(head, &backend);
        identify(head, user);
        let name = route.reference.server_name();
        let reply = client::send(&backend, Some((tls, &name)), request, ANSWER).await;
        let reply = reply.map_err(|why| failed(&why))?;
        if let (Some(client), StatusCode::SWITCHING_PROTOCOLS) = (client, reply.response.status()) {
            return Ok(tunnel::open(client, reply));
        }
        let mut response = reply.into_response();
        *response.version_mut() = Version::HTTP_11;
        headers::remove_hop_by_hop(response.headers_mut());
        Ok(response)
    }
}

/// Says who asks, in place of anybody else who said so.
pub(super) fn identify(headers: &mut HeaderMap, user: &User) {
    let said: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("x-remote-")).cloned().collect();
    for name in said {
        headers.remove(name);
    }
    let mut say = |name: &str, value: &str| match (name.parse(), HeaderValue::from_str(value)) {
        (Ok::<HeaderName, _>(name), Ok(value)) => _ = headers.append(name, value),
        _ => tracing::debug!(name, "what is known of a user can't stand in a header"),
    };
    say(USER, &user.name);
    if !user.uid.is_empty() {
        say(UID, &user.uid);
    }
    user.groups.iter().for_each(|group| say(GROUP, group));
    for (key, values) in &user.extra {
        let name = format!("{EXTRA}{}", utf8_percent_encode(key, KEY));
        values.iter().for_each(|value| say(&name, value));
    }
}
