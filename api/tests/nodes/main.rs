//! From a client through a server to the agent of a node, and to pods, all over real sockets.

mod agent;
mod cluster;
mod logs;
mod pod;
mod proxies;
mod upgrades;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::time::Duration;

/// Nothing here takes as long.
const DEADLINE: Duration = Duration::from_secs(10);

type Answer = http::Response<UnsyncBoxBody<Bytes, Infallible>>;

fn text(code: u16, text: impl Into<Bytes>) -> Answer {
    let mut response = http::Response::new(Full::new(text.into()).boxed_unsync());
    *response.status_mut() = code.try_into().expect("a code");
    response
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it happens in time")
}
