use super::*;
use futures::StreamExt;
use std::sync::Arc;
use windlass_api::server::ApiServer;
use windlass_store::Memory;

#[tokio::test]
async fn a_definition_takes_its_objects_along() {
    let http = with_cars().await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let mut held = car("held", json!({"color": "red"}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    http.post(CARS, &held).await;
    let path = format!("{CRDS}/cars.example.com");
    let deleted = http.method(Method::DELETE, &path, &json!({})).await.json();
    assert_eq!(
        deleted["metadata"]["finalizers"],
        json!(["customresourcecleanup.apiextensions.k8s.io"])
    );
    assert!(holds(&deleted, "Terminating"), "{deleted}");
    let terminating = until(&http, "cars.example.com", |cars| {
        cars["status"].to_string().contains("InstanceDeletionInProgress")
    });
    assert!(holds(&terminating.await, "Established"), "what is left is still served");
    let (code, text) = refused(&http, CARS, &car("late", json!({"color": "red"}))).await;
    assert_eq!(code, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(text, "create not allowed while custom resource definition is terminating");
    let resources = http.get("/apis/example.com/v1").await.json();
    assert_eq!(
        resources["resources"][0]["verbs"],
        json!(["delete", "deletecollection", "get", "list", "watch"])
    );
    let cars = windlass_core::scheme::GroupVersionResource::new("example.com", "v1", "cars");
    watch(&http, cars, |event| match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) if object.name() == "held" => {
            object.header().deleting.then_some(())
        }
        _ => None,
    })
    .await;
    let free = json!({"metadata": {"finalizers": null}});
    assert_eq!(http.patch(&format!("{CARS}/held"), MERGE, &free).await.code, StatusCode::OK);
    until_gone(&http, "cars.example.com").await;
}

#[tokio::test]
async fn what_is_gone_is_not_there_and_ends_its_watches() {
    let http = with_cars().await;
    let answer =
        http.send(http::Request::get(format!("{CARS}?watch=true")), bytes::Bytes::new()).await;
    let frames = http_body_util::BodyStream::new(answer.into_body());
    http.method(Method::DELETE, &format!("{CRDS}/cars.example.com"), &json!({})).await;
    tokio::time::timeout(DEADLINE, frames.count()).await.expect("the watch ends");
    assert_eq!(http.get(CARS).await.code, StatusCode::NOT_FOUND);
    assert_eq!(http.get("/apis/example.com").await.code, StatusCode::NOT_FOUND);
    let metrics = http.get("/metrics").await.text();
    assert!(metrics.contains("customresourcedefinitions"), "{metrics}");
    assert!(!metrics.contains("\"cars\"") && !metrics.contains("\"Car\""), "{metrics}");
    define(&http, &cars()).await;
    assert_eq!(http.get(CARS).await.json()["items"], json!([]), "nothing of it is left");
}

#[tokio::test]
async fn what_is_defined_is_served_after_a_restart() {
    let store = Arc::new(Memory::new());
    let start = || async {
        Http { server: ApiServer::builder().store(store.clone()).build().await.expect("a server") }
    };
    let first = start().await;
    first.post("/api/v1/namespaces", &json!({"metadata": {"name": "default"}})).await;
    define(&first, &cars()).await;
    first.post(CARS, &car("a", json!({"color": "red"}))).await;
    drop(first);
    let second = start().await;
    assert_eq!(second.get(&format!("{CARS}/a")).await.json()["spec"]["color"], "red");
    second.post(CARS, &car("b", json!({"color": "blue"}))).await;
    second.method(Method::DELETE, &format!("{CRDS}/cars.example.com"), &json!({})).await;
    until_gone(&second, "cars.example.com").await;
}

#[tokio::test]
async fn a_namespaced_and_a_cluster_kind_are_told_apart() {
    let http = Http::start().await;
    let mut definition = cars();
    definition["spec"]["scope"] = json!("Cluster");
    define(&http, &definition).await;
    let path = "/apis/example.com/v1/cars";
    let made = http.post(path, &car("a", json!({"color": "red"}))).await;
    assert!(made["metadata"].get("namespace").is_none());
    assert_eq!(http.get(CARS).await.code, StatusCode::NOT_FOUND);
    http.method(Method::DELETE, &format!("{CRDS}/cars.example.com"), &json!({})).await;
    until_gone(&http, "cars.example.com").await;
}
