use super::*;
use futures::StreamExt;

/// Cars in a second version, deprecated and with a default of its own, and in a third that is not served.
pub(super) fn old_cars() -> Value {
    let mut definition = cars();
    let mut old = definition["spec"]["versions"][0].clone();
    old["name"] = json!("v1beta1");
    old["storage"] = json!(false);
    old["deprecated"] = json!(true);
    old["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]["default"] =
        json!(9);
    let mut older = old.clone();
    older["name"] = json!("v1alpha1");
    older["served"] = json!(false);
    let versions = definition["spec"]["versions"].as_array_mut().expect("versions");
    versions.extend([old, older]);
    definition
}

#[tokio::test]
async fn versions_differ_in_name_and_rules() {
    let http = Http::start().await;
    define(&http, &old_cars()).await;
    let beta = CARS.replace("/v1/", "/v1beta1/");
    let mut object = car("a", json!({"color": "red"}));
    object["apiVersion"] = json!("example.com/v1beta1");
    let made = http.post(&beta, &object).await;
    assert_eq!(
        (&made["apiVersion"], &made["spec"]["size"]),
        (&json!("example.com/v1beta1"), &json!(9))
    );
    let read = http.get(&format!("{CARS}/a")).await;
    assert_eq!(
        (&read.json()["apiVersion"], read.header("warning")),
        (&json!("example.com/v1"), "")
    );
    let old = http.get(&format!("{beta}/a")).await;
    assert_eq!(old.json()["apiVersion"], "example.com/v1beta1");
    assert_eq!(old.header("warning"), "299 - \"example.com/v1beta1 Car is deprecated\"");
    let list = http.get(&beta).await.json();
    assert_eq!(
        (&list["apiVersion"], &list["items"][0]["apiVersion"]),
        (&json!("example.com/v1beta1"), &json!("example.com/v1beta1"))
    );
    assert_eq!(http.get(&CARS.replace("/v1/", "/v1alpha1/")).await.code, StatusCode::NOT_FOUND);
    let patched =
        http.patch(&format!("{beta}/a"), MERGE, &json!({"spec": {"size": 5}})).await.json();
    assert_eq!(
        (&patched["apiVersion"], &patched["spec"]["size"]),
        (&json!("example.com/v1beta1"), &json!(5))
    );
}

#[tokio::test]
async fn a_watch_shows_its_own_version() {
    let http = Http::start().await;
    define(&http, &old_cars()).await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let beta = format!("{}?watch=true", CARS.replace("/v1/", "/v1beta1/"));
    let answer = http.send(http::Request::get(beta), bytes::Bytes::new()).await;
    let mut frames = http_body_util::BodyStream::new(answer.into_body());
    let mut next = async || {
        let frame = tokio::time::timeout(DEADLINE, frames.next()).await.expect("in time");
        let frame = frame.expect("a frame").expect("no error").into_data().expect("data");
        serde_json::from_slice::<Value>(&frame).expect("JSON")
    };
    let first = next().await;
    assert_eq!(
        (&first["type"], &first["object"]["apiVersion"]),
        (&json!("ADDED"), &json!("example.com/v1beta1"))
    );
    http.patch(&format!("{CARS}/a"), MERGE, &json!({"spec": {"size": 5}})).await;
    let second = next().await;
    assert_eq!(
        (&second["type"], &second["object"]["apiVersion"]),
        (&json!("MODIFIED"), &json!("example.com/v1beta1"))
    );
    assert_eq!(second["object"]["spec"]["size"], 5);
}

#[tokio::test]
async fn a_new_schema_counts_at_once_for_what_is_stored_too() {
    let http = with_cars().await;
    http.post(CARS, &car("a", json!({"color": "red", "size": 7}))).await;
    let properties = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let patch = json!([
        {"op": "add", "path": format!("{properties}/wheels"), "value": {"type": "integer", "default": 4}},
        {"op": "remove", "path": format!("{properties}/size")},
    ]);
    let path = format!("{CRDS}/cars.example.com");
    let changed = http.patch(&path, "application/json-patch+json", &patch).await;
    assert_eq!(changed.code, StatusCode::OK, "{}", changed.text());
    let read = http.get(&format!("{CARS}/a")).await.json();
    assert_eq!(
        read["spec"],
        json!({"color": "red", "doors": 4, "wheels": 4}),
        "read by the new rules"
    );
    let list = http.get(CARS).await.json();
    assert_eq!(list["items"][0]["spec"]["wheels"], 4);
    let (_, text) =
        refused(&http, CARS, &car("b", json!({"color": "red", "wheels": "four"}))).await;
    assert!(text.contains("spec.wheels in body must be of type integer"), "{text}");
}

#[tokio::test]
async fn the_version_of_the_store_can_change() {
    let http = Http::start().await;
    define(&http, &old_cars()).await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let patch = json!([
        {"op": "replace", "path": "/spec/versions/0/storage", "value": false},
        {"op": "replace", "path": "/spec/versions/1/storage", "value": true},
    ]);
    let path = format!("{CRDS}/cars.example.com");
    let changed = http.patch(&path, "application/json-patch+json", &patch).await.json();
    assert_eq!(changed["status"]["storedVersions"], json!(["v1", "v1beta1"]));
    assert_eq!(http.get(&format!("{CARS}/a")).await.json()["apiVersion"], "example.com/v1");
    let beta = http.get(&format!("{}/a", CARS.replace("/v1/", "/v1beta1/"))).await.json();
    assert_eq!(
        (&beta["apiVersion"], &beta["spec"]["size"]),
        (&json!("example.com/v1beta1"), &json!(3))
    );
    let patched =
        http.patch(&format!("{CARS}/a"), MERGE, &json!({"spec": {"size": 5}})).await.json();
    assert_eq!(
        (&patched["apiVersion"], &patched["spec"]["size"]),
        (&json!("example.com/v1"), &json!(5))
    );
    let gone = json!({"spec": {"versions": [{"name": "v1", "served": false, "storage": false}]}});
    assert_eq!(http.patch(&path, MERGE, &gone).await.code, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_version_comes_and_goes_without_a_restart() {
    let http = with_cars().await;
    let path = format!("{CRDS}/cars.example.com");
    let beta = CARS.replace("/v1/", "/v1beta1/");
    assert_eq!(http.get(&beta).await.code, StatusCode::NOT_FOUND);
    let versions =
        |definition: Value| json!({"spec": {"versions": definition["spec"]["versions"]}});
    http.patch(&path, MERGE, &versions(old_cars())).await;
    assert_eq!(http.get(&beta).await.code, StatusCode::OK);
    http.patch(&path, MERGE, &versions(cars())).await;
    assert_eq!(http.get(&beta).await.code, StatusCode::NOT_FOUND);
    assert_eq!(http.get(CARS).await.code, StatusCode::OK);
}
