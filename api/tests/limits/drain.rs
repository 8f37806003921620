//! How a server ends while clients are there.

use crate::{Served, get, soon, text};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use windlass_api::server::{ApiServer, ServeOptions};

#[tokio::test]
async fn readiness_fails_first_and_all_else_goes_on() {
    let options = ServeOptions { delay: Duration::from_secs(5), ..ServeOptions::default() };
    let served = Served::start(ApiServer::builder(), options).await;
    let mut send = served.http1().await;
    let ready = soon(send.send_request(get("/readyz"))).await.expect("an answer");
    assert_eq!(ready.status(), StatusCode::OK);
    text(ready).await;
    served.shutdown.cancel();
    served.server.announce_end();
    let mut new = served.http1().await;
    for (path, code) in [("/readyz", 500), ("/livez", 200), ("/api/v1/nodes", 200)] {
        soon(new.ready()).await.expect("the connection goes on");
        let answer = soon(new.send_request(get(path))).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), code, "{path}");
        text(answer).await;
    }
    served.serving.abort();
}

#[tokio::test]
async fn requests_are_finished_watches_end_and_late_ones_are_sent_away() {
    let served = Served::start(ApiServer::builder(), ServeOptions::default()).await;
    let url = |path: &str| format!("http://{}{path}", served.address);
    let (mut send, connection) = served.http2().await;
    let watch = soon(send.send_request(get(&url("/api/v1/nodes?watch=1")))).await;
    let watch = watch.expect("a watch begins");
    // A request whose body is on its way, on a connection of its own.
    let mut slow = served.tcp().await;
    let body = r#"{"metadata":{"name":"late"}}"#;
    let head = format!(
        "POST /api/v1/namespaces HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{{",
        body.len()
    );
    slow.write_all(head.as_bytes()).await.expect("written");
    until_asked(&served).await;

    served.shutdown.cancel();
    // The watch ends cleanly: its client watches again, elsewhere.
    let end = soon(watch.into_body().collect()).await.expect("a clean end");
    assert_eq!(end.to_bytes(), Bytes::new());
    // A connection that comes now is answered, and told that there will be no more.
    let (mut late, told) = served.http2().await;
    let answer = soon(late.send_request(get(&url("/api/v1/nodes")))).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert!(text(answer).await.contains("shutting down"));
    soon(told).await.expect("it does not panic").expect("GOAWAY ends it cleanly");
    soon(connection).await.expect("it does not panic").expect("GOAWAY ends it cleanly");
    // What was being worked on is finished.
    slow.write_all(&body.as_bytes()[1..]).await.expect("written");
    let mut said = String::new();
    soon(slow.read_to_string(&mut said)).await.expect("an answer");
    assert!(said.starts_with("HTTP/1.1 201"), "{said}");
    assert!(said.contains("connection: close"), "{said}");
    soon(served.serving).await.expect("it does not panic");
}

#[tokio::test]
async fn the_end_comes_even_if_a_request_does_not_end() {
    let options = ServeOptions { drain: Duration::from_millis(200), ..ServeOptions::default() };
    let served = Served::start(ApiServer::builder(), options).await;
    let mut stuck = served.tcp().await;
    let head = "POST /api/v1/namespaces HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{";
    stuck.write_all(head.as_bytes()).await.expect("written");
    until_asked(&served).await;
    served.end().await;
}

/// Waits until the server works on the request that was sent before.
async fn until_asked(served: &Served) {
    // The count of requests in work is what another connection can see of it.
    let deadline = tokio::time::Instant::now() + crate::SOON;
    let mut send = served.http1().await;
    loop {
        soon(send.ready()).await.expect("a connection");
        let request = Request::get("/metrics").header("host", "x").body(Full::default());
        let answer = soon(send.send_request(request.expect("a request"))).await.expect("metrics");
        let metrics = text(answer).await;
        // This request, and the other one.
        if metrics.contains("apiserver_current_inflight_requests{request_kind=\"mutating\"} 1") {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{metrics}");
    }
}
