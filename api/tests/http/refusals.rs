use crate::{CONFIGMAPS, Http, PODS, Read, config_map, pod};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::json;
use std::sync::Arc;
use windlass_api::authentication::{InProcess, User};
use windlass_api::server::{ApiServer, Limits};

fn refused(read: &Read, code: StatusCode, reason: &str) -> String {
    assert_eq!(read.code, code, "{}", read.text());
    let status = read.json();
    assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!(reason)));
    assert_eq!(status["code"], code.as_u16());
    status["message"].as_str().expect("a message").to_owned()
}

#[tokio::test]
async fn what_is_not_there() {
    let http = Http::start().await;
    let none = http.get(&format!("{CONFIGMAPS}/none")).await;
    let text = refused(&none, StatusCode::NOT_FOUND, "NotFound");
    assert_eq!(text, "configmaps \"none\" not found");
    for path in [
        "/apis/no.such.group/v1/things",
        "/nowhere",
        "/apis/none/v1",
        "/api/v1/pods/x",
        "/api/v1/namespaces//pods",
    ] {
        let read = http.get(path).await;
        assert_eq!(
            (read.code, read.text().as_str()),
            (StatusCode::NOT_FOUND, "404 page not found\n")
        );
    }
}

#[tokio::test]
async fn methods_and_media_types() {
    let http = Http::start().await;
    let method = |method, path| {
        let http = &http;
        async move { http.method(method, path, &json!({})).await }
    };
    for (verb, path) in [
        (Method::POST, "/api/v1/nodes/x/status"),
        (Method::PUT, "/api/v1/nodes"),
        (Method::DELETE, "/api/v1/configmaps"),
        (Method::POST, "/api/v1/nodes/x"),
        (Method::GET, "/api/v1/namespaces/default/bindings"),
        (Method::OPTIONS, "/api/v1/nodes"),
        // Nobody answers it here, and it is never kept.
        (Method::POST, "/apis/authorization.k8s.io/v1/subjectaccessreviews"),
        (Method::POST, "/apis/authentication.k8s.io/v1/tokenreviews"),
    ] {
        refused(&method(verb, path).await, StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
    }
    let csv = http.accept("/api/v1/nodes", "text/csv").await;
    refused(&csv, StatusCode::NOT_ACCEPTABLE, "NotAcceptable");
    let request = Request::post(CONFIGMAPS).header("content-type", "text/csv");
    let csv = http.ask(request, "a,b").await;
    refused(&csv, StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType");
    http.post(CONFIGMAPS, &config_map("a")).await;
    let patch = http.patch(&format!("{CONFIGMAPS}/a"), "application/json", &json!({})).await;
    refused(&patch, StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType");
}

#[tokio::test]
async fn bodies_that_are_wrong() {
    let http = Http::start().await;
    for body in ["", "{", "[]", "\"x\"", "{\"data\":[1]}", "\u{0}", &"[".repeat(100_000)] {
        let read = http.ask(Request::post(CONFIGMAPS), body.to_owned()).await;
        refused(&read, StatusCode::BAD_REQUEST, "BadRequest");
    }
    let flood = format!("{{\"data\":{{\"x\":\"{}\"}}}}", "x".repeat(3 << 20));
    let read = http.ask(Request::post(CONFIGMAPS), flood).await;
    let text = refused(&read, StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge");
    assert_eq!(text, "Request entity too large: limit is 3145728");
    let mut other = config_map("a");
    other["metadata"]["namespace"] = "other".into();
    let read = http.method(Method::POST, CONFIGMAPS, &other).await;
    refused(&read, StatusCode::BAD_REQUEST, "BadRequest");
    let kind = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}});
    let read = http.method(Method::POST, CONFIGMAPS, &kind).await;
    let text = refused(&read, StatusCode::BAD_REQUEST, "BadRequest");
    assert_eq!(text, "Secret in version \"v1\" cannot be handled as a ConfigMap");
}

#[tokio::test]
async fn unknown_and_double_fields() {
    let http = Http::start().await;
    let body = r#"{"metadata":{"name":"a"},"nope":1,"data":{"x":"1"},"data":{"x":"2"}}"#;
    let strict =
        http.ask(Request::post(format!("{CONFIGMAPS}?fieldValidation=Strict")), body).await;
    let text = refused(&strict, StatusCode::BAD_REQUEST, "BadRequest");
    let expected = "strict decoding error: unknown field \"nope\", duplicate field \"data\"";
    assert!(text.ends_with(expected), "{text}");
    let warned = http.ask(Request::post(CONFIGMAPS), body).await;
    assert_eq!(warned.code, StatusCode::CREATED);
    let warnings: Vec<_> = warned.headers.get_all("warning").iter().collect();
    assert_eq!(
        warnings,
        ["299 - \"unknown field \\\"nope\\\"\"", "299 - \"duplicate field \\\"data\\\"\""]
    );
    assert!(warned.json().get("nope").is_none());
}

#[tokio::test]
async fn options_that_are_wrong() {
    let http = Http::start().await;
    for query in [
        "limit=x",
        "continue=rubbish",
        "labelSelector=n%20in%20(",
        "fieldSelector=data.k%3D8",
        "resourceVersion=abc",
        "watch=1&resourceVersion=abc",
        "includeObject=Some",
    ] {
        let read = http.get(&format!("{CONFIGMAPS}?{query}")).await;
        refused(&read, StatusCode::BAD_REQUEST, "BadRequest");
    }
    for query in ["resourceVersionMatch=Exact", "resourceVersion=0&resourceVersionMatch=Exact"] {
        let read = http.get(&format!("{CONFIGMAPS}?{query}")).await;
        refused(&read, StatusCode::UNPROCESSABLE_ENTITY, "Invalid");
    }
}

#[tokio::test]
async fn too_much_at_once() {
    let server = ApiServer::builder()
        .authenticator(Arc::new(InProcess))
        .limits(Limits { requests: 0, ..Limits::default() })
        .build()
        .await;
    let http = Http { server: server.expect("a server") };
    let read = async |user: User| {
        http.ask(Request::get("/api/v1/nodes").extension(user), Bytes::new()).await
    };
    let full = read(User::new("jane", [])).await;
    refused(&full, StatusCode::TOO_MANY_REQUESTS, "TooManyRequests");
    // The exempt level has room whoever else waits.
    assert_eq!(read(User::admin()).await.code, StatusCode::OK);
}

#[tokio::test]
async fn deletions_that_make_no_sense() {
    let http = Http::start().await;
    http.post(CONFIGMAPS, &config_map("a")).await;
    let path = format!("{CONFIGMAPS}/a");
    let both = json!({"orphanDependents": true, "propagationPolicy": "Background"});
    for (query, body, why) in [
        (
            "",
            json!({"dryRun": ["all"]}),
            "dryRun: Unsupported value: [\"all\"]: supported values: \"All\"",
        ),
        (
            "?dryRun=all",
            json!({}),
            "dryRun: Unsupported value: [\"all\"]: supported values: \"All\"",
        ),
        (
            "",
            both.clone(),
            "propagationPolicy: Invalid value: \"Background\": orphanDependents and deletionPropagation cannot be both set",
        ),
        (
            "",
            json!({"propagationPolicy": "Later"}),
            "propagationPolicy: Unsupported value: \"Later\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
        ),
    ] {
        for at in [path.as_str(), CONFIGMAPS] {
            let read = http.method(Method::DELETE, &format!("{at}{query}"), &body).await;
            let text = refused(&read, StatusCode::UNPROCESSABLE_ENTITY, "Invalid");
            assert_eq!(text, format!("DeleteOptions.meta.k8s.io \"\" is invalid: {why}"));
        }
    }
    http.post(PODS, &pod("p")).await;
    let eviction = json!({"metadata": {"name": "p"}, "deleteOptions": both});
    let read = http.method(Method::POST, &format!("{PODS}/p/eviction"), &eviction).await;
    refused(&read, StatusCode::UNPROCESSABLE_ENTITY, "Invalid");
    for kept in [path, format!("{PODS}/p")] {
        assert_eq!(http.get(&kept).await.code, StatusCode::OK);
    }
}
