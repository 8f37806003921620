use crate::{CONFIGMAPS, Http, config_map};
use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use std::io::Read;
use windlass_api::schema::protobuf;
use windlass_core::scheme::GroupVersionKind;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const PARTIAL: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PARTIAL_LIST: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

#[tokio::test]
async fn an_object_in_every_form() {
    let http = Http::start().await;
    let made = http.post(CONFIGMAPS, &config_map("a")).await;
    let path = format!("{CONFIGMAPS}/a");
    let json = http.get(&path).await;
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.json(), made);
    let yaml = http.accept(&path, "application/yaml").await;
    assert_eq!(yaml.header("content-type"), "application/yaml");
    assert_eq!(yaml_serde::from_slice::<Value>(&yaml.body).expect("YAML"), made);
    let proto = http.accept(&path, "application/vnd.kubernetes.protobuf,application/json").await;
    assert_eq!(proto.header("content-type"), "application/vnd.kubernetes.protobuf");
    let (gvk, value) = protobuf::decode(None, &proto.body).expect("protobuf");
    assert_eq!(gvk, GroupVersionKind::new("", "v1", "ConfigMap"));
    assert_eq!(value["data"], json!({"k": "v"}));
    assert_eq!(value["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let partial = http.accept(&path, PARTIAL).await.json();
    assert_eq!(
        (&partial["kind"], &partial["data"]),
        (&json!("PartialObjectMetadata"), &Value::Null)
    );
    assert_eq!(partial["metadata"], made["metadata"]);
    let table = http.accept(&path, TABLE).await.json();
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["rows"][0]["cells"][0], "a");
}

#[tokio::test]
async fn a_list_in_every_form() {
    let http = Http::start().await;
    for name in ["a", "b", "c"] {
        http.post(CONFIGMAPS, &config_map(name)).await;
    }
    let names = |list: &Value| {
        let items = list["items"].as_array().expect("items");
        items.iter().map(|item| item["metadata"]["name"].clone()).collect::<Vec<_>>()
    };
    let list = http.get(CONFIGMAPS).await;
    assert_eq!(list.json()["kind"], "ConfigMapList");
    assert_eq!(names(&list.json()), ["a", "b", "c"]);
    let yaml = http.accept(CONFIGMAPS, "application/yaml").await;
    assert_eq!(yaml_serde::from_slice::<Value>(&yaml.body).expect("YAML"), list.json());
    let proto = http.accept(CONFIGMAPS, "application/vnd.kubernetes.protobuf").await;
    let (gvk, value) = protobuf::decode(None, &proto.body).expect("protobuf");
    assert_eq!(gvk, GroupVersionKind::new("", "v1", "ConfigMapList"));
    assert_eq!(names(&value), ["a", "b", "c"]);
    let partial = http.accept(CONFIGMAPS, PARTIAL_LIST).await;
    assert_eq!(partial.header("content-type"), "application/vnd.kubernetes.protobuf");
    let (gvk, value) = protobuf::decode(None, &partial.body).expect("protobuf");
    assert_eq!(gvk, GroupVersionKind::new("meta.k8s.io", "v1", "PartialObjectMetadataList"));
    assert_eq!(names(&value), ["a", "b", "c"]);
    assert_eq!(value["metadata"]["resourceVersion"], list.json()["metadata"]["resourceVersion"]);
    let json = PARTIAL_LIST.split_once(',').expect("two").1;
    let partial = http.accept(CONFIGMAPS, json).await.json();
    assert_eq!(partial["kind"], "PartialObjectMetadataList");
    assert_eq!(names(&partial), ["a", "b", "c"]);
    let table = http.accept(CONFIGMAPS, TABLE).await.json();
    assert_eq!(table["rows"].as_array().map(Vec::len), Some(3));
    let nothing = http.get("/api/v1/namespaces/none/configmaps").await.json();
    assert_eq!(nothing["items"], json!([]));
}

#[tokio::test]
async fn a_long_list_is_streamed_and_compressed_when_asked() {
    let http = Http::start().await;
    for n in 0..100 {
        let mut object = config_map(&format!("c{n:03}"));
        object["data"]["k"] = "x".repeat(4000).into();
        http.post(CONFIGMAPS, &object).await;
    }
    let plain = http.get(CONFIGMAPS).await;
    assert_eq!(plain.json()["items"].as_array().map(Vec::len), Some(100));
    let gzip = http.ask(Request::get(CONFIGMAPS).header("accept-encoding", "gzip"), "").await;
    assert_eq!(gzip.header("content-encoding"), "gzip");
    assert!(gzip.body.len() < plain.body.len() / 10);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_end(&mut unpacked).expect("gzip");
    assert_eq!(unpacked, plain.body);
    let small = format!("{CONFIGMAPS}?limit=1");
    let small = http.ask(Request::get(small).header("accept-encoding", "gzip"), "").await;
    assert_eq!(small.header("content-encoding"), "");
    assert_eq!(small.json()["metadata"]["remainingItemCount"], 99);
}

#[tokio::test]
async fn events_are_one_thing_in_two_versions() {
    let http = Http::start().await;
    let event = json!({"metadata": {"name": "e"}, "type": "Normal", "reason": "Tested", "message": "said",
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "p"}, "source": {"component": "test"}});
    http.post("/api/v1/namespaces/default/events", &event).await;
    let other = "/apis/events.k8s.io/v1/namespaces/default/events";
    let read = http.get(&format!("{other}/e")).await.json();
    assert_eq!((&read["apiVersion"], &read["note"]), (&json!("events.k8s.io/v1"), &json!("said")));
    assert_eq!(read["regarding"]["name"], "p");
    let found = http.get(&format!("{other}?fieldSelector=regarding.name%3Dp")).await.json();
    assert_eq!(found["kind"], "EventList");
    assert_eq!(found["items"][0]["deprecatedSource"]["component"], "test");
}

#[tokio::test]
async fn documents_about_the_server() {
    let http = Http::start().await;
    assert_eq!(http.get("/healthz").await.text(), "ok");
    let verbose = http.get("/readyz?verbose").await.text();
    assert!(verbose.starts_with("[+]ping ok\n") && verbose.ends_with("readyz check passed\n"));
    assert!(!http.get("/livez?verbose&exclude=ping").await.text().contains("ping"));
    assert_eq!(http.get("/livez/ping").await.text(), "ok");
    assert_eq!(http.get("/version").await.json()["gitVersion"], "v1.36.0");
    assert_eq!(http.get("/apis/apps/v1").await.json()["kind"], "APIResourceList");
    let etag = http.get("/apis").await.header("etag").to_owned();
    let again = http.ask(Request::get("/apis").header("if-none-match", &etag), Bytes::new()).await;
    assert_eq!((again.code, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let all = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    assert_eq!(http.accept("/apis", all).await.json()["kind"], "APIGroupDiscoveryList");
    assert_eq!(http.get("/openapi/v2").await.json()["swagger"], "2.0");
    assert!(http.get("/openapi/v3").await.json()["paths"]["apis/apps/v1"].is_object());
    let metrics = http.get("/metrics").await.text();
    assert!(metrics.contains("apiserver_request_total{verb=\"GET\",dry_run=\"\",group=\"\""));
}
