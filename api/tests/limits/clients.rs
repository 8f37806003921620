//! Clients that are slow, or want too much.

use crate::{Served, get, rest, soon, text};
use http::StatusCode;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use windlass_api::server::{ApiServer, Limits, ServeOptions};

const SHORT: Duration = Duration::from_millis(300);

fn limits() -> Limits {
    Limits { request_timeout: SHORT, headers: 20, ..Limits::default() }
}

async fn served() -> Served {
    let options = ServeOptions { idle: SHORT, ..ServeOptions::default() };
    Served::start(ApiServer::builder().limits(limits()), options).await
}

#[tokio::test]
async fn headers_that_drip_are_cut_off() {
    let served = served().await;
    let (mut stream, start) = (served.tcp().await, Instant::now());
    stream.write_all(b"GET /version HTTP/1.1\r\nhost: x\r\n").await.expect("written");
    let said = rest(&mut stream).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(start.elapsed() >= SHORT / 2);
    served.end().await;
}

#[tokio::test]
async fn bodies_that_drip_are_cut_off() {
    let served = served().await;
    let mut stream = served.tcp().await;
    let head = "POST /api/v1/namespaces HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("written");
    let said = rest(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 504"), "{said}");
    assert!(said.contains("request did not complete within the allotted timeout"), "{said}");
    served.end().await;
}

#[tokio::test]
async fn too_many_and_too_long_headers_and_paths_are_refused() {
    let served = served().await;
    for (head, code) in [
        (format!("GET /version HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(21)), "431"),
        (format!("GET /version HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1000)), "431"),
        (format!("GET /version HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(300_000)), "431"),
        (format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(70_000)), "414"),
        ("GET /version HTTP/1.1\r\nx\r\n\r\n".to_owned(), "400"),
        ("GET /api/v1/nodes?timeout=soon HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), "400"),
    ] {
        let mut stream = served.tcp().await;
        // It may hang up before all was sent.
        stream.write_all(head.as_bytes()).await.ok();
        let said = rest(&mut stream).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {code}")), "{code}: {said}");
    }
    served.end().await;
}

#[tokio::test]
async fn headers_are_counted_in_http_2_too() {
    let served = served().await;
    let (mut send, _connection) = served.http2().await;
    let mut request = get(&format!("http://{}/version", served.address));
    for at in 0..30 {
        let name = http::HeaderName::try_from(format!("x-{at}")).expect("a name");
        request.headers_mut().insert(name, http::HeaderValue::from_static("y"));
    }
    let response = soon(send.send_request(request)).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 431);
    assert!(text(response).await.contains("more than 20 headers"));
    served.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_hung_up_on() {
    let served = served().await;
    for hello in ["", "PRI * HTTP/2.0\r\n\r\n"] {
        let mut stream = served.tcp().await;
        stream.write_all(hello.as_bytes()).await.expect("written");
        let mut said = Vec::new();
        let end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said);
        // Time is virtual: it passes when nobody has anything to do.
        tokio::time::timeout(Duration::from_secs(60), end).await.expect("it hangs up").ok();
    }
    served.end().await;
}

#[tokio::test]
async fn a_client_may_ask_for_less_time() {
    let limits = Limits { request_timeout: Duration::from_secs(60), ..limits() };
    let builder = ApiServer::builder().limits(limits);
    let served = Served::start(builder, ServeOptions::default()).await;
    let mut stream = served.tcp().await;
    let head = "POST /api/v1/namespaces?timeout=100ms HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("written");
    let said = rest(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 504"), "{said}");
    served.end().await;
}

#[tokio::test]
async fn watches_are_counted() {
    let mut limits = limits();
    limits.flow.watches = 1;
    let served = Served::start(ApiServer::builder().limits(limits), ServeOptions::default()).await;
    let (mut send, _connection) = served.http2().await;
    let path = format!("http://{}/api/v1/nodes?watch=1", served.address);
    let first = soon(send.send_request(get(&path))).await.expect("an answer");
    assert_eq!((first.status(), served.server.flow_control().watches()), (StatusCode::OK, 1));
    let second = soon(send.send_request(get(&path))).await.expect("an answer");
    assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(second.headers()["retry-after"], "10");
    drop(first);
    served.end().await;
}
