//! Connections that became something else than HTTP, passed through.

use super::client::{Reply, Upgrading};
use crate::endpoints::Body;
use crate::server::ConnectRequest;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, Response, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::time::timeout;

/// How long both sides may take to be ready for other bytes, once they said they would.
const READY: Duration = Duration::from_secs(10);
/// How long a side may take to hear that it is over.
const GOODBYE: Duration = Duration::from_secs(5);

/// The client's end, if it asks for an upgrade of a connection that can be upgraded.
pub(crate) fn asked_for(request: &mut ConnectRequest) -> Option<OnUpgrade> {
    let possible =
        request.version() == Version::HTTP_11 && request.extensions().get::<OnUpgrade>().is_some();
    (possible && is_asked_for(request.headers())).then(|| hyper::upgrade::on(request))
}

fn is_asked_for(headers: &HeaderMap) -> bool {
    let words = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let mut words = words.flat_map(|value| value.split(','));
    headers.contains_key(UPGRADE) && words.any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
}

/// Tells the client what the other side said, and passes on from then on whatever they say, until one of them ends.
pub(crate) fn open(client: OnUpgrade, reply: Reply) -> Response<Body> {
    let (head, other) = reply.into_upgrade();
    tokio::spawn(async move {
        if let Err(error) = pass(client, other).await {
            tracing::debug!(%error, "a tunnel ended with an error");
        }
    });
    head.map(|()| Body::empty())
}

async fn pass(
    client: OnUpgrade,
    other: Upgrading,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let both = async { tokio::try_join!(client, other.upgrade) };
    let (client, other): (Upgraded, Upgraded) = timeout(READY, both).await??;
    Ok(join(TokioIo::new(client), TokioIo::new(other)).await?)
}

/// Copies both ways until one side ends, then ends the other.
pub(crate) async fn join<A, B>(a: A, b: B) -> std::io::Result<()>
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    let (mut from_a, mut to_a) = split(a);
    let (mut from_b, mut to_b) = split(b);
    let ended = tokio::select! {
        ended = copy(&mut from_a, &mut to_b) => ended,
        ended = copy(&mut from_b, &mut to_a) => ended,
    };
    let goodbye = async { tokio::join!(to_a.shutdown(), to_b.shutdown()) };
    // One of them is gone already: whether it heard that it is over does not matter.
    if timeout(GOODBYE, goodbye).await.is_err() {
        tracing::debug!("the end of a tunnel does not read");
    }
    ended.map(drop)
}
