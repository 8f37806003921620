//! What a client and the audit log are told, over HTTP.

use super::*;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use tower::ServiceExt;
use windlass_api::audit::{Audit, AuditSink, Policy};
use windlass_api::endpoints::Body;
use windlass_api::server::{Connect, ConnectCall, ConnectRequest};
use windlass_core::scheme::{PODS, VALIDATINGWEBHOOKCONFIGURATIONS};

/// Says that it was reached.
struct Reached;

#[async_trait::async_trait]
impl Connect for Reached {
    async fn connect(
        &self,
        _: ConnectCall<'_>,
        _: ConnectRequest,
    ) -> Result<Response<Body>, Status> {
        Ok(Response::new(Body::whole("reached")))
    }
}

/// Keeps what is recorded.
#[derive(Default)]
struct Events(Mutex<Vec<Value>>);

impl AuditSink for Events {
    fn take(&self, event: Vec<u8>) -> bool {
        self.0.lock().push(serde_json::from_slice(&event).expect("JSON"));
        true
    }
}

/// A server with one webhook about these rules.
async fn start(hook: &Hook, rules: Value) -> (Arc<ApiServer>, Arc<Events>) {
    let events = Arc::new(Events::default());
    let policy = Policy::metadata();
    let allow = Arc::new(AlwaysAllow);
    let server = ApiServer::builder()
        .admission_with(move |objects| Arc::new(ValidatingWebhooks::new(objects, allow)))
        .audit(Audit::new(policy, events.clone()))
        .connect(PODS, "exec", Arc::new(Reached))
        .build()
        .await
        .expect("a server");
    let cluster = Cluster { client: LocalClient::new(server.clone(), User::admin()) };
    cluster.make(scheme::NAMESPACES, "", &named("default")).await.expect("a namespace");
    let webhook = hook.webhook("h.pods.example", json!({"rules": rules}));
    let object = json!({"metadata": {"name": "v"}, "webhooks": [webhook]});
    cluster.make(VALIDATINGWEBHOOKCONFIGURATIONS, "", &object).await.expect("a configuration");
    (server, events)
}

/// Sends a request until the webhook has a say; the answer and what it says.
async fn refused(
    server: &Arc<ApiServer>,
    request: impl Fn() -> Request<Full<Bytes>>,
) -> (Response<()>, Value) {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let answer = server.service().oneshot(request()).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        if parts.status.is_client_error() {
            return (Response::from_parts(parts, ()), serde_json::from_slice(&body).expect("JSON"));
        }
        assert!(tokio::time::Instant::now() < deadline, "{:?}", parts.status);
        tokio::task::yield_now().await;
    }
}

fn saying_no() -> Value {
    json!({"allowed": false, "status": {"message": "not here", "code": 403},
        "warnings": ["think again"], "auditAnnotations": {"why": "it is late"}})
}

#[tokio::test]
async fn refusals_come_with_warnings_and_annotations() {
    let hook = Hook::saying(saying_no()).await;
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]);
    let (server, events) = start(&hook, rules).await;
    let request = || {
        let body = json!({"metadata": {"generateName": "a-"}}).to_string();
        Request::post("/api/v1/namespaces/default/configmaps")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("a request")
    };
    let (answer, status) = refused(&server, request).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(answer.headers()["warning"], "299 - \"think again\"");
    assert_eq!(
        status["message"],
        "admission webhook \"h.pods.example\" denied the request: not here"
    );
    let events = events.0.lock();
    let noted = |event: &&Value| event["annotations"]["h.pods.example/why"] == "it is late";
    let event = events.iter().find(noted).expect("an annotation");
    assert_eq!(event["responseStatus"]["code"], 403, "{event}");
}

#[tokio::test]
async fn connections_are_asked_about() {
    let hook = Hook::saying(saying_no()).await;
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": ["pods/exec"]}]);
    let (server, _) = start(&hook, rules).await;
    let request = || {
        Request::get(
            "/api/v1/namespaces/default/pods/p/exec?command=ls&command=-l&stdin=true&container=c",
        )
        .body(Full::default())
        .expect("a request")
    };
    let (answer, status) = refused(&server, request).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{status}");
    assert_eq!(answer.headers()["warning"], "299 - \"think again\"");
    let review = hook.seen.lock().pop().expect("asked");
    let asked = &review["request"];
    assert_eq!((&asked["operation"], &asked["subResource"]), (&json!("CONNECT"), &json!("exec")));
    assert_eq!((&asked["name"], &asked["namespace"]), (&json!("p"), &json!("default")));
    assert_eq!(asked["kind"], json!({"group": "", "version": "v1", "kind": "PodExecOptions"}));
    let options = json!({"kind": "PodExecOptions", "apiVersion": "v1", "command": ["ls", "-l"], "stdin": true, "container": "c"});
    assert_eq!(asked["object"], options);
}
