//! In which order a request is looked at.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use parking_lot::Mutex;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tower::ServiceExt;
use windlass_api::authentication::{InProcess, User};
use windlass_api::authorization::{Attributes, Authorizer, Decision};
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::client::{
    Client, ClientExt, Key, ListOptions, Patch, PatchType, Scope, WriteOptions, Writer,
};
use windlass_core::meta::Reason;
use windlass_core::scheme;

/// Lets one look at the secret `mine`, and notes what it is asked.
#[derive(Default)]
struct OnlyMine(Mutex<Vec<String>>);

#[async_trait]
impl Authorizer for OnlyMine {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let name = attributes.resource.and_then(|target| target.name.clone()).unwrap_or_default();
        self.0.lock().push(format!("{} {name}", attributes.verb));
        match name.as_str() {
            "mine" => Decision::allow(),
            _ => Decision::NoOpinion(String::new()),
        }
    }
}

async fn server() -> (Arc<ApiServer>, Arc<OnlyMine>) {
    let authorizer = Arc::new(OnlyMine::default());
    let builder = ApiServer::builder().authenticator(Arc::new(InProcess));
    (builder.authorizer(authorizer.clone()).build().await.expect("a server"), authorizer)
}

#[tokio::test]
async fn a_body_is_read_only_from_one_who_may_send_it() {
    let (server, _) = server().await;
    let read = Arc::new(AtomicBool::new(false));
    let seen = read.clone();
    let body = StreamBody::new(futures::stream::once(async move {
        seen.store(true, Ordering::SeqCst);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"{}")))
    }));
    let mut request = Request::post("/api/v1/namespaces/a/secrets").body(body).expect("a request");
    request.extensions_mut().insert(User::new("jane", []));
    let response = server.service().oneshot(request).await.expect("it never fails");
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(!read.load(Ordering::SeqCst), "nobody reads what may not be sent");
}

#[tokio::test]
async fn a_selector_that_asks_for_one_name_names_it_for_authorizers() {
    let (server, asked) = server().await;
    let path = "/api/v1/namespaces/a/secrets";
    for (method, query, code, expected) in [
        (Method::GET, "fieldSelector=metadata.name%3Dmine", 200, "list mine"),
        (Method::GET, "fieldSelector=type%3Dx,metadata.name%3D%3Dmine", 200, "list mine"),
        (
            Method::GET,
            "watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dmine",
            200,
            "watch mine",
        ),
        (Method::DELETE, "fieldSelector=metadata.name%3Dmine", 200, "deletecollection mine"),
        (Method::GET, "fieldSelector=metadata.name!%3Dmine", 403, "list "),
        (Method::GET, "fieldSelector=metadata.name%3Da%2Fmine", 403, "list "),
        (Method::GET, "", 403, "list "),
    ] {
        let request = Request::builder().method(method).uri(format!("{path}?{query}"));
        let mut request = request.body(String::new()).expect("a request");
        request.extensions_mut().insert(User::new("jane", []));
        let response = server.service().oneshot(request).await.expect("it never fails");
        assert_eq!(response.status().as_u16(), code, "{query}");
        assert_eq!(asked.0.lock().pop().as_deref(), Some(expected), "{query}");
    }
    let client: Arc<dyn Client> = Arc::new(LocalClient::new(server, User::new("jane", [])));
    let scope = Scope { resource: scheme::SECRETS, namespace: Some("a".into()) };
    let options = ListOptions { field_selector: "metadata.name=mine".into(), ..Default::default() };
    client.list(&scope, &options).await.expect("it is asked for the one");
    client.list(&scope, &ListOptions::default()).await.expect_err("not all");
}

/// Lets everybody do everything but make config maps.
struct NothingNew;

#[async_trait]
impl Authorizer for NothingNew {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        match attributes.resource {
            Some(target)
                if target.resource == scheme::CONFIGMAPS && attributes.verb == "create" =>
            {
                Decision::NoOpinion(String::new())
            }
            _ => Decision::allow(),
        }
    }
}

#[tokio::test]
async fn who_may_only_change_makes_nothing_by_an_apply() {
    let server = ApiServer::builder().authorizer(Arc::new(NothingNew)).build().await;
    let client = LocalClient::new(server.expect("a server"), User::new("jane", []));
    let namespace = serde_json::json!({"metadata": {"name": "a"}});
    client.create_from(&Key::cluster(scheme::NAMESPACES, ""), &namespace).await.expect("made");
    let map =
        serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}});
    let patch = Patch { kind: PatchType::Apply, body: map.to_string().into() };
    let key = Key::new(scheme::CONFIGMAPS, "a", "b");
    let result = client.patch(&key, patch, &WriteOptions::manager("tests")).await;
    let error = result.expect_err("it would be new");
    assert_eq!(error.reason(), Some(Reason::Forbidden), "{error}");
    assert!(error.to_string().contains("create"), "{error}");
}
