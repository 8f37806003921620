//! What is passed on of the head of a request, and what is not.

use super::backend::Backend;
use crate::endpoints::RequestBody;
use crate::server::ConnectRequest;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    USER_AGENT,
};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Empty};
use windlass_core::meta::Status;

/// What is between neighbours only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// A token that a browser hides among the WebSocket protocols.
const BEARER_PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

/// A request without a body.
pub(crate) fn request(
    method: Method,
    path: &str,
    to: &Backend,
    headers: HeaderMap,
) -> Result<ConnectRequest, Status> {
    let nothing: RequestBody = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::new(nothing);
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(Status::internal)?;
    *request.headers_mut() = headers;
    set_host(request.headers_mut(), to);
    Ok(request)
}

/// Names the backend as the one that is asked.
pub(crate) fn set_host(headers: &mut HeaderMap, to: &Backend) {
    if let Ok(host) = HeaderValue::from_str(&to.authority()) {
        headers.insert(HOST, host);
    }
}

/// What an agent needs to know to begin a conversation.
pub(crate) fn of_conversation(given: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let named = [CONNECTION, UPGRADE, USER_AGENT].contains(name);
        if named
            || name.as_str().starts_with("sec-websocket-")
            || name == "x-stream-protocol-version"
        {
            headers.append(name, value.clone());
        }
    }
    hide_token(&mut headers);
    headers
}

/// Takes out what says who the user is: that is between him and the server.
pub(crate) fn hide_user(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    let impersonation: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("impersonate-")).cloned().collect();
    for name in impersonation {
        headers.remove(name);
    }
    hide_token(headers);
}

fn hide_token(headers: &mut HeaderMap) {
    let given = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let words = given.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let kept: Vec<_> =
        words.map(str::trim).filter(|word| !word.starts_with(BEARER_PROTOCOL)).collect();
    let kept = HeaderValue::from_str(&kept.join(", "));
    if headers.remove(SEC_WEBSOCKET_PROTOCOL).is_some()
        && let Ok(kept) = kept
        && !kept.is_empty()
    {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, kept);
    }
}

/// Leaves what a backend shall see of a client's headers. That the connection is to be upgraded stays.
pub(crate) fn pass_on(headers: &mut HeaderMap) {
    let upgrade = headers.get(UPGRADE).cloned();
    remove_hop_by_hop(headers);
    hide_user(headers);
    join_cookies(headers);
    if let Some(upgrade) = upgrade {
        headers.insert(UPGRADE, upgrade);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
}

/// Takes out what is between neighbours only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let connection = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> = connection
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// HTTP/2 may bring cookies one by one (RFC 9113, section 8.2.3); HTTP/1.1 wants one line.
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}
