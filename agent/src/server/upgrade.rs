//! From HTTP to another protocol.

use super::answers::{Body, Refusal, body};
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(super) type Raw = TokioIo<Upgraded>;

/// What a client wants to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// With this subprotocol.
    WebSocket(String),
    /// With this protocol of streams.
    Spdy(String),
}

const STREAM_VERSION: &str = "X-Stream-Protocol-Version";

/// Agrees on one of `known`, answers, and hands the connection to `serve`.
pub(super) fn upgrade(
    request: Request<Incoming>,
    known: &[&str],
    serve: impl FnOnce(Protocol, Raw) -> BoxFuture<'static, ()> + Send + 'static,
) -> Result<Response<Body>, Refusal> {
    let protocol = negotiate(request.headers(), known)?;
    let response = switching(request.headers(), &protocol)?;
    tokio::spawn(async move {
        match hyper::upgrade::on(request).await {
            Ok(upgraded) => serve(protocol, TokioIo::new(upgraded)).await,
            Err(error) => tracing::debug!(%error, "connection not upgraded"),
        }
    });
    Ok(response)
}

fn negotiate(headers: &HeaderMap, known: &[&str]) -> Result<Protocol, Refusal> {
    let wanted = |name: &str| -> Vec<String> {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|word| word.trim().to_owned()).collect()
    };
    let first = |offered: &[String]| known.iter().find(|k| offered.iter().any(|o| o == *k));
    let kinds = wanted("upgrade");
    let is = |kind: &str| kinds.iter().any(|k| k.eq_ignore_ascii_case(kind));
    if is("websocket") {
        let offered = wanted("sec-websocket-protocol");
        let chosen = first(&offered).map(|p| Protocol::WebSocket((*p).to_owned()));
        return chosen.ok_or_else(|| {
            Refusal::bad_request(format!("unable to upgrade: no protocol in common: {offered:?}"))
        });
    }
    if is("spdy/3.1") {
        let offered = wanted(STREAM_VERSION);
        let chosen = first(&offered).map(|p| Protocol::Spdy((*p).to_owned()));
        return chosen.ok_or_else(|| Refusal::forbidden(format!("unable to upgrade: unable to negotiate protocol: client supports {offered:?}, server accepts {known:?}")));
    }
    Err(Refusal::bad_request(
        "you must specify at least 1 of stdin, stdout, stderr and upgrade the connection",
    ))
}

fn switching(headers: &HeaderMap, protocol: &Protocol) -> Result<Response<Body>, Refusal> {
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade");
    let response = match protocol {
        Protocol::Spdy(version) => {
            response.header(header::UPGRADE, "SPDY/3.1").header(STREAM_VERSION, version)
        }
        Protocol::WebSocket(version) => {
            let key = headers.get(header::SEC_WEBSOCKET_KEY);
            let key = key.ok_or_else(|| Refusal::bad_request("a WebSocket needs a key"))?;
            response
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
                .header(header::SEC_WEBSOCKET_PROTOCOL, version)
        }
    };
    response.body(body("")).map_err(|error| Refusal::internal(&error))
}
