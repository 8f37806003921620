use super::*;
use http::Request;

#[tokio::test]
async fn objects_are_completed_pruned_and_counted() {
    let http = with_cars().await;
    let mut red = car("red", json!({"color": "red", "nope": 1, "free": {"kept": 1}}));
    red["status"] = json!({"phase": "On"});
    let made = http.post(CARS, &red).await;
    assert_eq!(made["spec"], json!({"color": "red", "free": {"kept": 1}, "size": 3, "doors": 4}));
    assert!(made.get("status").is_none(), "only the subresource writes it");
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(made["metadata"]["namespace"], "default");
    let path = format!("{CARS}/red");
    let patched = http.patch(&path, MERGE, &json!({"spec": {"size": 4}})).await.json();
    assert_eq!(patched["metadata"]["generation"], 2);
    let same = http.patch(&path, MERGE, &json!({"metadata": {"labels": {"a": "b"}}})).await.json();
    assert_eq!(same["metadata"]["generation"], 2);
    assert_eq!(http.get(&path).await.json()["spec"]["size"], 4);
}

#[tokio::test]
async fn unknown_fields_are_ignored_told_or_refused() {
    let http = with_cars().await;
    let mut bad = car("bad", json!({"color": "red", "nope": 1}));
    bad["metadata"]["nonsense"] = json!(1);
    let post = |validation: &str| {
        let path = format!("{CARS}?dryRun=All&fieldValidation={validation}");
        http.ask(Request::post(path), bad.to_string())
    };
    assert_eq!(post("Ignore").await.header("warning"), "");
    let told = post("Warn").await;
    let warnings: Vec<_> =
        told.headers.get_all("warning").iter().map(|w| w.to_str().expect("text")).collect();
    assert_eq!(
        warnings,
        [
            r#"299 - "unknown field \"metadata.nonsense\"""#,
            r#"299 - "unknown field \"spec.nope\"""#,
        ]
    );
    let refused = post("Strict").await;
    assert_eq!(refused.code, StatusCode::BAD_REQUEST);
    let text = refused.json()["message"].to_string();
    assert!(text.contains(r#"strict decoding error: unknown field \"metadata.nonsense\", unknown field \"spec.nope\""#), "{text}");
    let patch = format!("{CARS}/x?fieldManager=me&fieldValidation=Strict");
    let applied = http.patch(&patch, APPLY, &car("x", json!({"color": "red", "nope": 1}))).await;
    assert_eq!(applied.code, StatusCode::BAD_REQUEST, "{}", applied.text());
}

#[tokio::test]
async fn of_many_unknown_fields_the_first_are_told() {
    let http = with_cars().await;
    let mut spec = json!({"color": "red"});
    for n in 0..1000 {
        spec[format!("nope{n}")] = json!(n);
    }
    let path = format!("{CARS}?fieldValidation=Strict");
    let refused = http.ask(Request::post(path), car("bad", spec).to_string()).await;
    assert_eq!(refused.code, StatusCode::BAD_REQUEST);
    assert_eq!(refused.text().matches("unknown field").count(), 100);
}

#[tokio::test]
async fn a_car_is_put_in_the_place_of_the_one_that_was_seen() {
    let http = with_cars().await;
    let made = http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let path = format!("{CARS}/a");
    let mut green = car("a", json!({"color": "green"}));
    for part in ["", "/status"] {
        let blind = http.method(Method::PUT, &format!("{path}{part}"), &green).await;
        assert_eq!(blind.code, StatusCode::UNPROCESSABLE_ENTITY, "{}", blind.text());
    }
    green["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
    assert_eq!(http.method(Method::PUT, &path, &green).await.code, StatusCode::OK);
}

#[tokio::test]
async fn objects_are_validated() {
    let http = with_cars().await;
    for (spec, expected) in [
        (json!({}), "spec.color: Required value"),
        (
            json!({"color": "pink"}),
            "spec.color: Unsupported value: \"pink\": supported values: \"red\", \"green\", \"blue\"",
        ),
        (
            json!({"color": "red", "size": 11}),
            "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10",
        ),
        (
            json!({"color": "red", "size": "big"}),
            "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"",
        ),
        (
            json!({"color": "red", "doors": -1}),
            "spec.doors: Invalid value: -1: should be a non-negative integer",
        ),
    ] {
        let (code, text) = refused(&http, CARS, &car("bad", spec)).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text.starts_with("Car.example.com \"bad\" is invalid: "), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let mut bad = car("bad", json!({"color": "red"}));
    bad["metadata"]["labels"] = json!({"a": 1});
    let (code, text) = refused(&http, CARS, &bad).await;
    assert_eq!(code, StatusCode::BAD_REQUEST);
    assert!(text.contains("metadata.labels"), "{text}");
    let (_, text) = refused(&http, CARS, &car("Bad_Name", json!({"color": "red"}))).await;
    assert!(text.contains("metadata.name: Invalid value: \"Bad_Name\""), "{text}");
    let mut other = car("a", json!({"color": "red"}));
    other["apiVersion"] = json!("example.com/v7");
    let (code, text) = refused(&http, CARS, &other).await;
    assert_eq!(code, StatusCode::BAD_REQUEST);
    assert!(text.contains("does not match the expected API version"), "{text}");
}

#[tokio::test]
async fn formats_that_they_have_not_are_refused() {
    let http = with_cars().await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let strategic = "application/strategic-merge-patch+json";
    let patched = http.patch(&format!("{CARS}/a"), strategic, &json!({"spec": {"size": 4}})).await;
    assert_eq!(patched.code, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let protobuf = "application/vnd.kubernetes.protobuf";
    let read = http.accept(CARS, protobuf).await;
    assert_eq!(read.code, StatusCode::NOT_ACCEPTABLE, "{}", read.text());
    let either = http.accept(CARS, &format!("{protobuf},application/json")).await;
    assert_eq!((either.code, either.header("content-type")), (StatusCode::OK, "application/json"));
    let metadata = format!("{protobuf};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
    let metadata = http.accept(CARS, &metadata).await;
    assert_eq!((metadata.code, metadata.header("content-type")), (StatusCode::OK, protobuf));
    let request = Request::post(CARS).header("content-type", protobuf);
    let posted = http.ask(request, &b"k8s\0"[..]).await;
    assert_eq!(posted.code, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{}", posted.text());
}

#[tokio::test]
async fn patches_of_all_other_sorts_work() {
    let http = with_cars().await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let path = format!("{CARS}/a");
    let json_patch = json!([{"op": "replace", "path": "/spec/size", "value": 5}]);
    let patched = http.patch(&path, "application/json-patch+json", &json_patch).await.json();
    assert_eq!(patched["spec"]["size"], 5);
    let apply = |name: &str, spec: Value| {
        let path = format!("{CARS}/{name}?fieldManager=me&force=true");
        let object = car(name, spec);
        let http = &http;
        async move { http.patch(&path, APPLY, &object).await }
    };
    let created = apply("b", json!({"color": "blue", "size": 7})).await;
    assert_eq!(created.code, StatusCode::CREATED, "{}", created.text());
    let dropped = apply("b", json!({"color": "green"})).await.json();
    assert_eq!(dropped["spec"], json!({"color": "green", "size": 3, "doors": 4}), "{dropped}");
    let refused = http.patch(&path, MERGE, &json!({"spec": {"color": "pink"}})).await;
    assert_eq!(refused.code, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn names_are_made_and_dry_runs_leave_nothing() {
    let http = with_cars().await;
    let mut object = car("", json!({"color": "red"}));
    object["metadata"] = json!({"generateName": "car-"});
    let made = http.post(CARS, &object).await;
    assert!(made["metadata"]["name"].as_str().is_some_and(|name| name.len() == "car-".len() + 5));
    http.post(&format!("{CARS}?dryRun=All"), &car("dry", json!({"color": "red"}))).await;
    assert_eq!(http.get(&format!("{CARS}/dry")).await.code, StatusCode::NOT_FOUND);
    http.method(Method::DELETE, CARS, &json!({})).await;
    assert_eq!(http.get(CARS).await.json()["items"], json!([]));
}

#[tokio::test]
async fn selectable_fields_select() {
    let http = with_cars().await;
    for (name, color) in [("a", "red"), ("b", "blue"), ("c", "red")] {
        http.post(CARS, &car(name, json!({"color": color}))).await;
    }
    let names = |list: Value| {
        let items = list["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|item| item["metadata"]["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let red = http.get(&format!("{CARS}?fieldSelector=spec.color%3Dred")).await;
    assert_eq!(names(red.json()), ["a", "c"]);
    let (code, text) = message(&http.get(&format!("{CARS}?fieldSelector=spec.size%3D3")).await);
    assert_eq!(
        (code, text.as_str()),
        (StatusCode::BAD_REQUEST, "field label not supported: spec.size")
    );
}

#[tokio::test]
async fn tables_have_the_columns_of_the_definition() {
    let http = with_cars().await;
    http.post(CARS, &car("a", json!({"color": "red"}))).await;
    let status = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    http.patch(&format!("{CARS}/a/status"), MERGE, &status).await;
    let table = http.accept(CARS, "application/json;as=Table;g=meta.k8s.io;v=v1").await.json();
    let names: Vec<_> = table["columnDefinitions"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| (column["name"].as_str().unwrap_or_default(), column["priority"].as_i64()))
        .collect();
    assert_eq!(
        names,
        [("Name", Some(0)), ("Color", Some(0)), ("Size", Some(1)), ("Ready", Some(0))]
    );
    assert_eq!(table["rows"][0]["cells"], json!(["a", "red", 3, "True"]));
}

#[tokio::test]
async fn objects_go_by_the_rules_of_their_namespace() {
    let http = with_cars().await;
    let nowhere = CARS.replace("default", "nowhere");
    let (code, text) = refused(&http, &nowhere, &car("a", json!({"color": "red"}))).await;
    assert_eq!((code, text.as_str()), (StatusCode::NOT_FOUND, "namespaces \"nowhere\" not found"));
}
