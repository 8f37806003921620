//! What holds for every built-in resource.

use crate::{Http, PODS, pod};
use http::{Method, Request, StatusCode};
use serde_json::json;
use windlass_core::client::Scope;
use windlass_core::request::scope_path;
use windlass_core::scheme::{ResourceInfo, Scheme};

/// Where its objects are listed and made.
fn path(info: &ResourceInfo) -> String {
    let namespace = info.namespaced.then(|| "default".to_owned());
    scope_path(&Scope { resource: info.gvr.clone(), namespace })
}

#[tokio::test]
async fn is_listed_and_watched_in_every_form() {
    let http = Http::start().await;
    for info in Scheme::builtin().iter().filter(|info| info.has_verb("list")) {
        let path = path(info);
        let list = http.get(&path).await;
        assert_eq!((list.code, &list.json()["kind"]), (StatusCode::OK, &json!(info.list_kind())));
        for accept in [
            "application/json;as=Table;g=meta.k8s.io;v=v1",
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            "application/vnd.kubernetes.protobuf",
            "application/yaml",
        ] {
            let read = http.accept(&path, accept).await;
            assert_eq!(read.code, StatusCode::OK, "{path} as {accept}: {}", read.text());
        }
        if info.has_verb("watch") {
            let watch = http.send(Request::get(format!("{path}?watch=1")), "".into()).await;
            assert_eq!(watch.status(), StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn refuses_nonsense_with_a_reason() {
    let http = Http::start().await;
    for info in Scheme::builtin().iter().filter(|info| info.has_verb("create")) {
        let path = path(info);
        for body in [
            json!({}),
            json!({"metadata": {"name": "a"}}),
            json!({"metadata": {"name": "b"}, "spec": {}}),
            json!({"metadata": {"name": "c"}, "spec": null, "status": []}),
            json!({"metadata": {"name": "d", "namespace": "default"}, "spec": "x"}),
            json!({"metadata": []}),
        ] {
            let read = http.method(Method::POST, &path, &body).await;
            assert!(read.code.as_u16() < 500, "{path} of {body}: {}", read.text());
            let named = http.method(Method::PUT, &format!("{path}/a"), &body).await;
            assert!(named.code.as_u16() < 500, "{path} of {body}: {}", named.text());
        }
    }
}

#[tokio::test]
async fn answers_every_subresource_it_has() {
    let http = Http::start().await;
    for info in Scheme::builtin().iter() {
        for subresource in info.subresources.iter().filter(|sub| sub.has_verb("get")) {
            let path = format!("{}/none/{}", path(info), subresource.name);
            let read = http.get(&path).await;
            assert_eq!(read.code, StatusCode::NOT_FOUND, "{path}: {}", read.text());
        }
    }
}

#[tokio::test]
async fn has_no_conversations_without_somebody_to_talk_to() {
    let http = Http::start().await;
    http.post(PODS, &pod("a")).await;
    for subresource in ["log", "exec", "attach", "portforward", "proxy"] {
        let read = http.get(&format!("{PODS}/a/{subresource}")).await;
        assert_eq!(read.code, StatusCode::NOT_FOUND, "{subresource}: {}", read.text());
    }
}
