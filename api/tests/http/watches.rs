use crate::{CONFIGMAPS, Http, PODS, config_map, pod};
use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_api::endpoints::Body;
use windlass_api::schema::protobuf;

/// A watch that is read frame by frame.
struct Frames {
    body: Body,
    rest: BytesMut,
}

impl Frames {
    async fn start(http: &Http, path: &str, accept: &str) -> Self {
        let response = http.send(Request::get(path).header("accept", accept), Bytes::new()).await;
        assert_eq!(response.status(), 200);
        Self { body: response.into_body(), rest: BytesMut::new() }
    }

    async fn more(&mut self) {
        let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await;
        let frame = frame.expect("in time").expect("it goes on").expect("no error");
        self.rest.extend_from_slice(&frame.into_data().expect("data"));
    }

    async fn line(&mut self) -> Value {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                return serde_json::from_slice(&self.rest.split_to(end + 1)).expect("JSON");
            }
            self.more().await;
        }
    }

    async fn message(&mut self) -> (String, Value) {
        loop {
            if let Some((word, object, length)) = protobuf::next_frame(&self.rest).expect("a frame")
            {
                drop(self.rest.split_to(length));
                return (word, protobuf::decode(None, &object).expect("an object").1);
            }
            self.more().await;
        }
    }
}

#[tokio::test]
async fn json_lines() {
    let http = Http::start().await;
    let mut frames =
        Frames::start(&http, &format!("{CONFIGMAPS}?watch=1"), "application/json").await;
    let made = http.post(CONFIGMAPS, &config_map("a")).await;
    assert_eq!(frames.line().await, json!({"type": "ADDED", "object": made}));
    http.method(http::Method::DELETE, &format!("{CONFIGMAPS}/a"), &json!({})).await;
    let gone = frames.line().await;
    assert_eq!(gone["type"], "DELETED");
    let version =
        |object: &Value| object["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    assert!(version(&gone["object"]) > version(&made));
}

#[tokio::test]
async fn protobuf_frames() {
    let http = Http::start().await;
    let accept = "application/vnd.kubernetes.protobuf;stream=watch";
    let mut frames = Frames::start(&http, &format!("{CONFIGMAPS}?watch=1"), accept).await;
    http.post(CONFIGMAPS, &config_map("a")).await;
    let (word, object) = frames.message().await;
    assert_eq!((word.as_str(), &object["metadata"]["name"]), ("ADDED", &json!("a")));
}

#[tokio::test]
async fn tables_with_their_columns_once() {
    let http = Http::start().await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut frames = Frames::start(&http, &format!("{PODS}?watch=1"), accept).await;
    http.post(PODS, &pod("a")).await;
    http.post(PODS, &pod("b")).await;
    let (first, second) = (frames.line().await, frames.line().await);
    assert_eq!(first["object"]["kind"], "Table");
    assert!(!first["object"]["columnDefinitions"].as_array().expect("columns").is_empty());
    assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
    assert!(second["object"]["columnDefinitions"].as_array().is_none_or(Vec::is_empty));
}

#[tokio::test]
async fn a_bookmark_after_the_initial_events() {
    let http = Http::start().await;
    http.post(CONFIGMAPS, &config_map("a")).await;
    let path = format!(
        "{CONFIGMAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    );
    let mut frames = Frames::start(&http, &path, "application/json").await;
    assert_eq!(frames.line().await["type"], "ADDED");
    let mark = frames.line().await;
    assert_eq!((&mark["type"], &mark["object"]["kind"]), (&json!("BOOKMARK"), &json!("ConfigMap")));
    let annotations = &mark["object"]["metadata"]["annotations"];
    assert_eq!(annotations["k8s.io/initial-events-end"], "true");
}

#[tokio::test]
async fn a_version_too_old_is_an_event() {
    let http = Http::start().await;
    let path = format!("{CONFIGMAPS}?watch=1&resourceVersion=1");
    let mut frames = Frames::start(&http, &path, "application/json").await;
    let error = frames.line().await;
    assert_eq!(error["type"], "ERROR");
    assert_eq!(
        (&error["object"]["reason"], &error["object"]["code"]),
        (&json!("Expired"), &json!(410))
    );
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_its_time_is_over_or_the_servers() {
    let http = Http::start().await;
    for path in ["?watch=1&timeoutSeconds=2", "?watch=1"] {
        let request = Request::get(format!("{CONFIGMAPS}{path}"));
        let body = http.send(request, Bytes::new()).await.into_body();
        let server = http.server.clone();
        let close = async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            server.close();
        };
        let (body, ()) = tokio::join!(body.collect(), close);
        assert!(body.expect("a clean end").to_bytes().is_empty());
    }
}
