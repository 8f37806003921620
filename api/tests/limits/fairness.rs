//! Priority and fairness at the door.

use crate::soon;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::StreamBody;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::oneshot;
use tower::ServiceExt;
use windlass_api::authentication::{InProcess, User};
use windlass_api::bootstrap::FlowObjects;
use windlass_api::endpoints::Body;
use windlass_api::flowcontrol::{FlowOptions, builtin};
use windlass_api::local::LocalClient;
use windlass_api::server::{ApiServer, Limits};
use windlass_core::cache::InformerFactory;
use windlass_core::client::{Client, ClientExt, DeleteOptions, Key, Reader, Scope};
use windlass_core::clock::Env;
use windlass_core::component::{Component, Ready, Shutdown};
use windlass_core::scheme::{self, FLOWSCHEMAS, PRIORITYLEVELCONFIGURATIONS};

/// A server of few seats, that keeps and follows its objects.
struct Fair {
    server: Arc<ApiServer>,
    client: Arc<dyn Client>,
    _end: tokio_util::sync::DropGuard,
}

async fn fair() -> Fair {
    let flow = FlowOptions { seats: 60, ..FlowOptions::default() };
    let builder = ApiServer::builder().limits(Limits { flow, ..Limits::default() });
    let server = builder.authenticator(Arc::new(InProcess)).build().await.expect("a server");
    let client: Arc<dyn Client> = Arc::new(LocalClient::new(server.clone(), User::admin()));
    let shutdown = Shutdown::new();
    let informers = InformerFactory::new(client.clone(), shutdown.clone());
    let synced = server.flow_control().follow(&informers);
    let ready = Ready::default();
    let objects = Box::new(FlowObjects::new(client.clone(), &informers, Env::system()));
    tokio::spawn(objects.run(ready.clone(), shutdown.clone()));
    for ready in synced.iter().chain([&ready]) {
        soon(ready.wait()).await;
    }
    Fair { server, client, _end: shutdown.drop_guard() }
}

impl Fair {
    /// A request by somebody whose body never ends until `release` is used.
    fn hold(&self, user: &str) -> (oneshot::Sender<()>, tokio::task::JoinHandle<StatusCode>) {
        let (release, released) = oneshot::channel::<()>();
        let body = StreamBody::new(futures::stream::once(async move {
            released.await.ok();
            Ok::<_, Infallible>(http_body::Frame::data(Bytes::from_static(b"{}")))
        }));
        let mut request = Request::post("/api/v1/nodes").body(body).expect("a request");
        request.extensions_mut().insert(User::new(user, []));
        let answer = self.server.service().oneshot(request);
        let status = async move { answer.await.expect("it never fails").status() };
        (release, tokio::spawn(status))
    }

    async fn get(&self, user: User, path: &str) -> Response<Body> {
        let mut request = Request::get(path).body(String::new()).expect("a request");
        request.extensions_mut().insert(user);
        soon(self.server.service().oneshot(request)).await.expect("it never fails")
    }

    /// Makes a level with one seat that is all jane's.
    async fn one_seat_for_jane(&self, response: serde_json::Value) {
        let level = json!({"metadata": {"name": "one"}, "spec": {"type": "Limited", "limited": {
            "nominalConcurrencyShares": 1, "borrowingLimitPercent": 0, "limitResponse": response}}});
        let key = Key::cluster(PRIORITYLEVELCONFIGURATIONS, "one");
        self.client.create_from(&key, &level).await.expect("a level");
        let schema = json!({"metadata": {"name": "jane"}, "spec": {
            "priorityLevelConfiguration": {"name": "one"}, "matchingPrecedence": 50,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [{"subjects": [{"kind": "User", "user": {"name": "jane"}}], "resourceRules": [{
                "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true, "namespaces": ["*"]}]}]}});
        let key = Key::cluster(FLOWSCHEMAS, "jane");
        self.client.create_from(&key, &schema).await.expect("a schema");
        // The server goes by it once its informer has heard of it; it shows by the header.
        let uid = self.client.get(&key).await.expect("it is there").header().uid.to_string();
        let deadline = tokio::time::Instant::now() + crate::SOON;
        while self.schema_of("jane").await != uid {
            assert!(tokio::time::Instant::now() < deadline, "it is not followed");
            tokio::task::yield_now().await;
        }
    }

    async fn schema_of(&self, user: &str) -> String {
        let answer = self.get(User::new(user, []), "/api/v1/nodes/none").await;
        let header = answer.headers().get("x-kubernetes-pf-flowschema-uid");
        header.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn objects_are_made_and_put_right() {
    let fair = fair().await;
    for one in builtin() {
        let key = Key::cluster(one.resource.clone(), one.name);
        let object = fair.client.get(&key).await.expect("it is there");
        let value: serde_json::Value = object.view().expect("an object");
        assert_eq!(value["spec"], one.spec, "{}", one.name);
    }
    let key = Key::cluster(PRIORITYLEVELCONFIGURATIONS, "catch-all");
    let scope = Scope::all(key.resource.clone());
    let mut changes = fair.client.watch(&scope, &Default::default()).await.expect("a watch");
    let before = fair.client.get(&key).await.expect("it is there");
    fair.client.delete(&key, &DeleteOptions::default()).await.expect("it goes");
    // It comes back.
    let back = async {
        use futures::StreamExt;
        while let Some(batch) = changes.next().await {
            let now = fair.client.get(&key).await;
            if now.is_ok_and(|now| now.header().uid != before.header().uid) {
                return;
            }
            batch.expect("an event");
        }
    };
    soon(back).await;
}

#[tokio::test]
async fn a_level_without_queues_refuses_what_finds_no_seat() {
    let fair = fair().await;
    fair.one_seat_for_jane(json!({"type": "Reject"})).await;
    let (release, held) = fair.hold("jane");
    let deadline = tokio::time::Instant::now() + crate::SOON;
    let refused = loop {
        let answer = fair.get(User::new("jane", []), "/api/v1/nodes").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
        // A list holds its seats until it is read or dropped.
        drop(answer);
        assert!(tokio::time::Instant::now() < deadline, "it is let in");
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(!refused.headers()["x-kubernetes-pf-flowschema-uid"].is_empty());
    assert!(!refused.headers()["x-kubernetes-pf-prioritylevel-uid"].is_empty());
    // Others have levels of their own, and clients in this process go through the same door.
    assert_eq!(fair.get(User::new("joe", []), "/api/v1/nodes").await.status(), StatusCode::OK);
    assert_eq!(fair.get(User::admin(), "/api/v1/nodes").await.status(), StatusCode::OK);
    let jane = LocalClient::new(fair.server.clone(), User::new("jane", []));
    let scope = Scope::all(scheme::NODES);
    let error = jane.list(&scope, &Default::default()).await.expect_err("no seat is free");
    assert!(error.to_string().contains("Too many requests"), "{error}");
    release.send(()).expect("it waits");
    soon(held).await.expect("it does not panic");
    jane.list(&scope, &Default::default()).await.expect("there is a seat again");
}

#[tokio::test]
async fn a_level_with_queues_lets_them_wait() {
    let fair = fair().await;
    let queuing = json!({"queues": 1, "handSize": 1, "queueLengthLimit": 1});
    fair.one_seat_for_jane(json!({"type": "Queue", "queuing": queuing})).await;
    let (release, held) = fair.hold("jane");
    let (more, waiting) = fair.hold("jane");
    more.send(()).expect("it waits");
    let deadline = tokio::time::Instant::now() + crate::SOON;
    while fair.get(User::new("jane", []), "/api/v1/nodes").await.status() == StatusCode::OK {
        assert!(tokio::time::Instant::now() < deadline, "the queue is not full");
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    release.send(()).expect("it waits");
    assert_eq!(soon(held).await.expect("it does not panic"), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(soon(waiting).await.expect("it does not panic"), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_schema_says_whether_its_level_is_there() {
    let fair = fair().await;
    let schema = json!({"metadata": {"name": "lost"}, "spec": {"matchingPrecedence": 50,
        "priorityLevelConfiguration": {"name": "nowhere"}, "rules": []}});
    let key = Key::cluster(FLOWSCHEMAS, "lost");
    let scope = Scope::all(FLOWSCHEMAS);
    let mut changes = fair.client.watch(&scope, &Default::default()).await.expect("a watch");
    fair.client.create_from(&key, &schema).await.expect("a schema");
    let wait = async {
        use futures::StreamExt;
        loop {
            let object = fair.client.get(&key).await.expect("it is there");
            let value: serde_json::Value = object.view().expect("an object");
            let condition = &value["status"]["conditions"][0];
            if condition["type"] == "Dangling" && condition["status"] == "True" {
                return;
            }
            changes.next().await.expect("it goes on").expect("an event");
        }
    };
    soon(wait).await;
}
