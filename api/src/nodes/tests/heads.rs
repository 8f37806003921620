//! Headers, and tunnels.

use crate::nodes::headers::{hide_user, join_cookies, of_conversation, remove_hop_by_hop};
use crate::nodes::tunnel::join;
use http::{HeaderMap, HeaderName};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn only_what_begins_a_conversation_is_told() {
    let given = headers(&[
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("authorization", "Bearer x"),
        ("cookie", "a=b"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.eA, v5.channel.k8s.io"),
        ("x-stream-protocol-version", "v4.channel.k8s.io"),
        ("x-stream-protocol-version", "v3.channel.k8s.io"),
    ]);
    let expected = headers(&[
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "v5.channel.k8s.io"),
        ("x-stream-protocol-version", "v4.channel.k8s.io"),
        ("x-stream-protocol-version", "v3.channel.k8s.io"),
    ]);
    assert_eq!(of_conversation(&given), expected);
}

#[test]
fn users_and_neighbours_are_not_passed_on() {
    let mut given = headers(&[
        ("authorization", "Bearer x"),
        ("impersonate-user", "ann"),
        ("impersonate-extra-a", "b"),
        ("sec-websocket-protocol", "base64url.bearer.authorization.k8s.io.eA"),
        ("connection", "close, x-near"),
        ("x-near", "1"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "1"),
        ("cookie", "a=b"),
        ("cookie", "c=d"),
        ("x-far", "1"),
    ]);
    hide_user(&mut given);
    remove_hop_by_hop(&mut given);
    join_cookies(&mut given);
    assert_eq!(given, headers(&[("cookie", "a=b; c=d"), ("x-far", "1")]));
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_ends_when_either_side_ends() {
    for end_first in [true, false] {
        let (mut a, near_a) = duplex(16);
        let (mut b, near_b) = duplex(16);
        let tunnel = tokio::spawn(join(near_a, near_b));
        let mut bytes = [0; 4];
        a.write_all(b"ping").await.unwrap();
        b.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"ping");
        let (ending, staying) = if end_first { (a, &mut b) } else { (b, &mut a) };
        drop(ending);
        assert_eq!(staying.read(&mut bytes).await.unwrap(), 0);
        tokio::time::timeout(Duration::from_secs(60), tunnel).await.unwrap().unwrap().unwrap();
    }
}
