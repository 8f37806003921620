//! `pods/exec`, `pods/attach`, `pods/portforward`.

use crate::agent::Agent;
use crate::cluster::{Cluster, get};
use crate::soon;
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windlass_core::meta::Reason;

const POD: &str = "/api/v1/namespaces/default/pods/main";

pub(crate) fn upgrade(method: Method, path: &str, protocol: &str) -> Request<String> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("connection", "Upgrade")
        .header("upgrade", protocol)
        .header("authorization", "Bearer secret")
        .body(String::new())
        .expect("a request")
}

pub(crate) async fn upgraded(response: &mut Response<Incoming>) -> TokioIo<Upgraded> {
    assert_eq!(response.status(), 101);
    TokioIo::new(soon(hyper::upgrade::on(response)).await.expect("it is upgraded"))
}

/// Both talk; then the other side ends it.
pub(crate) async fn talk(stream: &mut TokioIo<Upgraded>) {
    let mut hello = [0; 10];
    stream.write_all(b"some").await.expect("it listens");
    soon(stream.read_exact(&mut hello)).await.expect("it answers");
    assert_eq!(&hello, b"HELLO SOME");
    stream.write_all(b"end.").await.expect("it listens");
    let mut rest = String::new();
    soon(stream.read_to_string(&mut rest)).await.expect("it ends");
    assert_eq!(rest, "END.");
}

async fn started() -> (Cluster, Agent) {
    let cluster = Cluster::start().await;
    let agent = Agent::start(&cluster.authority, &cluster.authority).await;
    cluster.node("n1", agent.address).await;
    cluster.pod("main", Some("n1"), &["main"]).await;
    (cluster, agent)
}

#[tokio::test]
async fn spdy_is_a_tunnel_both_ways() {
    let (cluster, mut agent) = started().await;
    let path = format!("{POD}/exec?command=echo&command=a%20b&stdin=true&stdout=true&tty=false");
    let mut request = upgrade(Method::POST, &path, "SPDY/3.1");
    let offered = "v4.channel.k8s.io".parse().expect("a value");
    request.headers_mut().insert("x-stream-protocol-version", offered);
    let mut response = cluster.send(request).await;
    assert_eq!(response.headers()["upgrade"], "SPDY/3.1");
    assert_eq!(response.headers()["x-stream-protocol-version"], "v4.channel.k8s.io");
    talk(&mut upgraded(&mut response).await).await;
    let asked = agent.asked.recv().await.expect("it was asked");
    assert_eq!(asked.method(), Method::POST);
    let expected = "/exec/default/main/main?input=1&output=1&command=echo&command=a%20b";
    assert_eq!(asked.uri(), expected);
    assert!(!asked.headers().contains_key("authorization"));
}

#[tokio::test]
async fn web_sockets_are_too() {
    let (cluster, mut agent) = started().await;
    for (path, expected) in [
        ("attach?stdout=1&stderr=1", "/attach/default/main/main?output=1&error=1"),
        ("portforward?ports=80&ports=443", "/portForward/default/main?port=80%2C443"),
    ] {
        let mut request = upgrade(Method::GET, &format!("{POD}/{path}"), "websocket");
        let offered = "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0";
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", offered.parse().expect("a value"));
        headers.insert("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".parse().expect("a value"));
        let mut response = cluster.send(request).await;
        assert_eq!(response.headers()["sec-websocket-protocol"], "v5.channel.k8s.io");
        talk(&mut upgraded(&mut response).await).await;
        let asked = agent.asked.recv().await.expect("it was asked");
        assert_eq!(asked.uri(), expected);
        assert_eq!(asked.headers()["sec-websocket-key"], "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(asked.headers()["sec-websocket-protocol"], "v5.channel.k8s.io");
    }
}

#[tokio::test]
async fn a_mebibyte_arrives_whole() {
    let (cluster, _agent) = started().await;
    let request = upgrade(Method::POST, &format!("{POD}/exec?stdin=1&command=cat"), "SPDY/3.1");
    let mut response = cluster.send(request).await;
    let (mut read, mut write) = tokio::io::split(upgraded(&mut response).await);
    let sent = vec![b'a'; 1 << 20];
    let mut came = Vec::new();
    let send = async {
        write.write_all(&sent).await.expect("it listens");
        write.write_all(b".").await.expect("it listens");
        write.flush().await.expect("it listens");
    };
    let (_, read) = soon(async { tokio::join!(send, read.read_to_end(&mut came)) }).await;
    assert_eq!(read.expect("it ends"), "HELLO ".len() + sent.len() + 1);
    assert!(came["HELLO ".len()..].iter().all(|byte| matches!(byte, b'A' | b'.')));
}

#[tokio::test]
async fn refusals_are_statuses() {
    let (cluster, _agent) = started().await;
    let plain = cluster.refused(get(&format!("{POD}/exec?command=x&stdout=1"))).await;
    assert_eq!((plain.code, plain.reason), (400, Reason::BadRequest));
    assert!(plain.message.starts_with("Upgrade request required"), "{}", plain.message);
    let put = upgrade(Method::PUT, &format!("{POD}/exec?command=x"), "SPDY/3.1");
    assert_eq!(cluster.refused(put).await.code, 405);
    cluster.pod("other", Some("n1"), &["c"]).await;
    let path = "/api/v1/namespaces/default/pods/other/exec?command=x&stdout=1";
    let unknown = cluster.refused(upgrade(Method::POST, path, "SPDY/3.1")).await;
    assert_eq!((unknown.code, unknown.reason), (404, Reason::NotFound));
    assert_eq!(unknown.message, "404 page not found");
    let path = format!("{POD}/exec?command=x&container=none");
    let none = cluster.refused(upgrade(Method::POST, &path, "SPDY/3.1")).await;
    assert_eq!(none.message, "container none is not valid for pod main");
}
