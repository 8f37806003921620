use crate::{CONFIGMAPS, Http, PODS, config_map, pod};
use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_api::endpoints::Body;
use windlass_api::schema::protobuf;
use windlass_api::server::{ApiServer, Limits};
use windlass_api::strategy::Generic;
use windlass_core::clock::Env;
use windlass_core::scheme::{self, GroupVersionResource, ResourceInfo, Scheme};

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

#[tokio::test(start_paused = true)]
async fn ages_are_those_at_the_time_of_the_event() {
    let http = Http::with(ApiServer::builder().env(Env::simulated(1))).await;
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let mut frames =
        Frames::start(&http, &format!("{PODS}?watch=1&timeoutSeconds=7200"), accept).await;
    tokio::time::advance(Duration::from_secs(3600)).await;
    http.post(PODS, &pod("a")).await;
    let table = frames.line().await["object"].clone();
    let columns = table["columnDefinitions"].as_array().expect("columns");
    let age = columns.iter().position(|column| column["name"] == "Age").expect("an age");
    assert_eq!(table["rows"][0]["cells"][age], "0s", "{table}");
}

#[tokio::test]
async fn metadata_in_protobuf() {
    let http = Http::start().await;
    let accept = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let path = format!(
        "{CONFIGMAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    );
    http.post(CONFIGMAPS, &config_map("a")).await;
    let mut frames = Frames::start(&http, &path, accept).await;
    let (word, object) = frames.message().await;
    assert_eq!((word.as_str(), &object["metadata"]["name"]), ("ADDED", &json!("a")));
    assert_eq!((&object["kind"], &object["data"]), (&json!("PartialObjectMetadata"), &Value::Null));
    let (word, mark) = frames.message().await;
    assert_eq!((word.as_str(), &mark["kind"]), ("BOOKMARK", &json!("PartialObjectMetadata")));
}

#[tokio::test]
async fn what_has_no_protobuf_is_told_as_an_error_in_protobuf() {
    let gvr = GroupVersionResource::new("example.com", "v1", "things");
    let thing = ResourceInfo {
        storage: gvr.group_version(),
        gvr,
        kind: "Thing".into(),
        singular: "thing".into(),
        namespaced: false,
        verbs: ["create", "get", "list", "watch"].map(Into::into).to_vec(),
        short_names: Vec::new(),
        categories: Vec::new(),
        subresources: Vec::new(),
    };
    let namespaces = Scheme::builtin().by_gvr(&scheme::NAMESPACES).expect("built in").clone();
    let builder = ApiServer::builder().resources([namespaces]);
    let http = Http::with(builder.resource(Arc::new(thing), Arc::new(Generic::default()))).await;
    let things = "/apis/example.com/v1/things";
    let accept = "application/vnd.kubernetes.protobuf;stream=watch";
    let mut frames = Frames::start(&http, &format!("{things}?watch=1"), accept).await;
    http.post(things, &json!({"metadata": {"name": "a"}})).await;
    let (word, status) = frames.message().await;
    assert_eq!((word.as_str(), &status["reason"]), ("ERROR", &json!("NotAcceptable")));
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

#[tokio::test(start_paused = true)]
async fn no_time_at_all_is_the_servers_choice() {
    let limits = Limits { min_request_timeout: Duration::from_secs(2), ..Limits::default() };
    let http = Http::with(ApiServer::builder().limits(limits)).await;
    let request = Request::get(format!("{CONFIGMAPS}?watch=1&timeoutSeconds=0"));
    let body = http.send(request, Bytes::new()).await.into_body();
    let ended = tokio::time::timeout(Duration::from_secs(10), body.collect()).await;
    assert!(ended.expect("in time").expect("a clean end").to_bytes().is_empty());
}
