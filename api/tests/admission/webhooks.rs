//! Webhook configurations, and webhooks that behave well or badly.

use super::hook::{patching, respond};
use super::*;
use http::StatusCode;
use std::sync::atomic::Ordering;
use windlass_core::client::{DeleteOptions, Patch};
use windlass_core::meta::Reason;
use windlass_core::scheme::{MUTATINGWEBHOOKCONFIGURATIONS, VALIDATINGWEBHOOKCONFIGURATIONS};

impl Cluster {
    async fn validate(&self, hooks: Vec<Value>) {
        let object = json!({"metadata": {"name": "v"}, "webhooks": hooks});
        let made = self.make(VALIDATINGWEBHOOKCONFIGURATIONS, "", &object).await;
        made.expect("a configuration");
    }

    async fn mutate(&self, hooks: Vec<Value>) {
        let object = json!({"metadata": {"name": "m"}, "webhooks": hooks});
        let made = self.make(MUTATINGWEBHOOKCONFIGURATIONS, "", &object).await;
        made.expect("a configuration");
    }

    /// The refusal of a config map, once there is one.
    async fn refusal(&self) -> Status {
        self.eventually(&named("a"), Result::is_err).await.expect_err("refused")
    }
}

#[tokio::test]
async fn a_webhook_refuses_with_its_own_words() {
    let cluster = Cluster::start().await;
    let no = json!({"allowed": false, "status": {"message": "no maps here", "code": 403, "reason": "Forbidden"}});
    let hook = Hook::saying(no).await;
    cluster.validate(vec![hook.webhook("no.maps.example", json!({}))]).await;
    let status = cluster.refusal().await;
    assert_eq!(
        status.message,
        "admission webhook \"no.maps.example\" denied the request: no maps here"
    );
    assert_eq!((status.code, status.reason), (403, Reason::Forbidden));
    let review = hook.seen.lock().pop().expect("it was asked");
    assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
    let request = &review["request"];
    assert_eq!(request["kind"], json!({"group": "", "version": "v1", "kind": "ConfigMap"}));
    assert_eq!(
        request["resource"],
        json!({"group": "", "version": "v1", "resource": "configmaps"})
    );
    assert_eq!((&request["name"], &request["namespace"]), (&json!("a"), &json!("default")));
    assert_eq!((&request["operation"], &request["dryRun"]), (&json!("CREATE"), &json!(true)));
    assert_eq!(request["userInfo"]["username"], "system:admin");
    assert_eq!(request["object"]["metadata"]["name"], "a");
    assert_eq!(
        (&request["oldObject"], &request["options"]["kind"]),
        (&Value::Null, &json!("CreateOptions"))
    );
}

#[tokio::test]
async fn refusals_without_words_have_words_too() {
    let cluster = Cluster::start().await;
    let hook = Hook::saying(json!({"allowed": false})).await;
    cluster.validate(vec![hook.webhook("no.maps.example", json!({}))]).await;
    let status = cluster.refusal().await;
    let expected = "admission webhook \"no.maps.example\" denied the request without explanation";
    assert_eq!((status.message.as_str(), status.code), (expected, 400));
}

#[tokio::test]
async fn connections_are_kept() {
    let cluster = Cluster::start().await;
    let hook = Hook::saying(json!({"allowed": true})).await;
    cluster.validate(vec![hook.webhook("yes.maps.example", json!({}))]).await;
    let asked = |_: &_| !hook.seen.lock().is_empty();
    cluster.eventually(&named("a"), asked).await.expect("admitted");
    for at in 0..20 {
        cluster.config_map(&named(&format!("a{at}"))).await.expect("admitted");
    }
    assert_eq!(hook.seen.lock().len(), 21);
    assert_eq!(hook.connections.load(Ordering::Relaxed), 1);
    let key = Key::new(scheme::CONFIGMAPS, "default", "a0");
    let patch = Patch::merge(&json!({"data": {"a": "b"}}));
    cluster.client.patch(&key, patch, &WriteOptions::default()).await.expect("patched");
    let review = hook.seen.lock().pop().expect("asked");
    assert_eq!(review["request"]["operation"], "UPDATE");
    assert_eq!(review["request"]["object"]["data"]["a"], "b");
    assert!(review["request"]["oldObject"]["metadata"]["uid"].is_string());
    cluster.client.delete(&key, &DeleteOptions::default()).await.expect("deleted");
    let review = hook.seen.lock().pop().expect("asked");
    assert_eq!(
        (&review["request"]["operation"], &review["request"]["object"]),
        (&json!("DELETE"), &Value::Null)
    );
    assert_eq!(review["request"]["oldObject"]["metadata"]["name"], "a0");
}

#[tokio::test]
async fn what_is_no_answer_is_said() {
    let megabyte = |_: &Value| Answered::Body(StatusCode::OK, vec![b'x'; 1 << 20]);
    let plain = |code: u16, text: &'static str| {
        move |_: &Value| {
            Answered::Body(StatusCode::from_u16(code).expect("a code"), text.as_bytes().to_vec())
        }
    };
    let saying = |response: Value| move |review: &Value| respond(review, &response);
    type Answer = Box<dyn Fn(&Value) -> Answered + Send + Sync>;
    let cases: Vec<(Answer, &str)> = vec![
        (Box::new(|_: &Value| Answered::Hang), "?timeout=1s\": context deadline exceeded"),
        (
            Box::new(megabyte),
            "failed to call webhook: couldn't get version/kind; json parse error: ",
        ),
        (
            Box::new(plain(200, "<html>")),
            "failed to call webhook: couldn't get version/kind; json parse error: ",
        ),
        (
            Box::new(plain(404, "what?")),
            "failed to call webhook: the server could not find the requested resource",
        ),
        (
            Box::new(plain(500, "oops")),
            "failed to call webhook: an error on the server (\"oops\") has prevented the request from succeeding",
        ),
        (
            Box::new(plain(200, "{}")),
            "received invalid webhook response: webhook response was absent",
        ),
        (
            Box::new(saying(json!({"allowed": true, "uid": "1"}))),
            "received invalid webhook response: expected response.uid=\"",
        ),
        (
            Box::new(saying(patching(&json!([])))),
            "received invalid webhook response: validating webhook may not return response.patch",
        ),
    ];
    for (answer, expected) in cases {
        let cluster = Cluster::start().await;
        let hook = Hook::start(answer).await;
        cluster.validate(vec![hook.webhook("bad.maps.example", json!({}))]).await;
        let status = cluster.refusal().await;
        let whole = "Internal error occurred: failed calling webhook \"bad.maps.example\": ";
        assert!(status.message.starts_with(whole), "{}", status.message);
        assert!(status.message.contains(expected), "{} / {expected}", status.message);
        assert_eq!((status.code, status.reason), (500, Reason::InternalError));
    }
}

#[tokio::test]
async fn one_that_cannot_be_reached_is_passed_by_if_it_says_so() {
    let cluster = Cluster::start().await;
    let gone = TcpPort::closed().await;
    let at = json!({"clientConfig": {"url": format!("https://127.0.0.1:{}/x", gone.0)}, "failurePolicy": "Ignore"});
    let hook = Hook::saying(json!({"allowed": false})).await;
    let ignored = hook.webhook("gone.maps.example", at.clone());
    let mut failing = at;
    failing["failurePolicy"] = json!("Fail");
    cluster.validate(vec![ignored, hook.webhook("fails.maps.example", failing)]).await;
    let status = cluster.refusal().await;
    let expected = format!(
        "Internal error occurred: failed calling webhook \"fails.maps.example\": failed to call webhook: Post \"https://127.0.0.1:{0}/x?timeout=1s\": dial tcp 127.0.0.1:{0}: connect: connection refused",
        gone.0
    );
    assert_eq!(status.message, expected);
}

/// A port on which nobody listens.
struct TcpPort(u16);

impl TcpPort {
    async fn closed() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self(listener.local_addr().expect("bound").port())
    }
}

#[tokio::test]
async fn webhooks_are_asked_at_once() {
    let cluster = Cluster::start().await;
    let hook = Hook::start(|_| Answered::Hang).await;
    let hooks = (0..8).map(|at| hook.webhook(&format!("h{at}.maps.example"), json!({})));
    cluster.validate(hooks.collect()).await;
    cluster.refusal().await;
    assert_eq!(hook.seen.lock().len() % 8, 0, "all of them");
}

#[tokio::test]
async fn patches_are_applied_and_seen_by_the_next() {
    let cluster = Cluster::start().await;
    let first =
        Hook::saying(patching(&json!([{"op": "add", "path": "/data", "value": {"a": "1"}}]))).await;
    let second =
        Hook::saying(patching(&json!([{"op": "add", "path": "/data/b", "value": "2"}]))).await;
    cluster
        .mutate(vec![
            first.webhook("a.maps.example", json!({"reinvocationPolicy": "IfNeeded"})),
            second.webhook("b.maps.example", json!({})),
        ])
        .await;
    let changed =
        |done: &Result<Value, Status>| done.as_ref().is_ok_and(|map| map["data"]["a"] == "1");
    let made = cluster.eventually(&named("x"), changed).await.expect("admitted");
    // The second round replaces the data: what is called again must be written for that.
    assert_eq!(made["data"], json!({"a": "1"}));
    let calls = |hook: &Hook| hook.seen.lock().len();
    assert_eq!((calls(&first), calls(&second)), (2, 1), "only who asks for it is called again");
    assert_eq!(first.seen.lock()[1]["request"]["object"]["data"]["b"], "2");
    assert_eq!(second.seen.lock()[0]["request"]["object"]["data"]["a"], "1");
}

#[tokio::test]
async fn patches_that_do_not_apply_fail() {
    for (patch, expected) in [
        (json!([{"op": "remove", "path": "/nope"}]), "Internal error occurred: "),
        (json!([{"op": "add", "path": "/data", "value": 7}]), "Internal error occurred: "),
        (json!({"op": "add"}), "received undecodable patch in webhook response"),
    ] {
        let cluster = Cluster::start().await;
        let hook = Hook::saying(patching(&patch)).await;
        cluster.mutate(vec![hook.webhook("p.maps.example", json!({}))]).await;
        let status = cluster.refusal().await;
        assert!(status.message.contains(expected), "{}", status.message);
        assert_eq!(status.code, 500, "{}", status.message);
    }
}

#[tokio::test]
async fn conditions_and_selectors_say_what_is_asked() {
    let cluster = Cluster::start().await;
    let hook = Hook::saying(json!({"allowed": false})).await;
    let conditions = json!([{"name": "a", "expression": "request.operation == 'CREATE'"},
        {"name": "b", "expression": "object.metadata.name != 'good' && authorizer.group('').resource('configmaps').namespace('default').check('create').allowed()"},
        {"name": "c", "expression": "authorizer.requestResource.check('create').allowed()"}]);
    let one = hook.webhook("a.maps.example", json!({"matchConditions": conditions}));
    let elsewhere =
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "other"}}});
    let labelled = json!({"objectSelector": {"matchLabels": {"a": "b"}}});
    let all = vec![
        one,
        hook.webhook("b.maps.example", elsewhere),
        hook.webhook("c.maps.example", labelled),
    ];
    cluster.validate(all).await;
    let denied =
        |name: &str| format!("admission webhook {name:?} denied the request without explanation");
    assert_eq!(cluster.refusal().await.message, denied("a.maps.example"));
    cluster.dry(&named("good")).await.expect("the conditions are not true");
    let labelled = json!({"metadata": {"name": "good", "labels": {"a": "b"}}});
    let refused = cluster.dry(&labelled).await.expect_err("the object is selected");
    assert_eq!(refused.message, denied("c.maps.example"));
}

#[tokio::test]
async fn a_condition_that_fails_is_forbidden() {
    let cluster = Cluster::start().await;
    let hook = Hook::saying(json!({"allowed": true})).await;
    let conditions = json!([{"name": "a", "expression": "object.data.missing == 'x'"}]);
    cluster
        .validate(vec![hook.webhook("a.maps.example", json!({"matchConditions": conditions}))])
        .await;
    let status = cluster.refusal().await;
    let expected = "configmaps \"a\" is forbidden: expression 'object.data.missing == 'x'' resulted in error: no such key: data";
    assert_eq!((status.message.as_str(), status.code), (expected, 403));
    assert!(hook.seen.lock().is_empty());
}

#[tokio::test]
async fn side_effects_and_dry_runs() {
    let cluster = Cluster::start().await;
    let hook = Hook::saying(json!({"allowed": false})).await;
    // The other values can't be written any more; they may be in the store.
    let refused = json!({"metadata": {"name": "v"}, "webhooks": [hook.webhook("a.maps.example", json!({"sideEffects": "Some"}))]});
    let status = cluster
        .make(VALIDATINGWEBHOOKCONFIGURATIONS, "", &refused)
        .await
        .expect_err("not supported");
    assert_eq!(status.reason, Reason::Invalid);
    let expression = json!({"matchConditions": [{"name": "a", "expression": "object."}]});
    let refused = json!({"metadata": {"name": "v"}, "webhooks": [hook.webhook("a.maps.example", expression)]});
    let status = cluster
        .make(VALIDATINGWEBHOOKCONFIGURATIONS, "", &refused)
        .await
        .expect_err("does not compile");
    assert!(status.message.contains("webhooks[0].matchConditions[0].expression: Invalid value: \"object.\": compilation failed: "), "{}", status.message);
}

#[tokio::test]
async fn configurations_themselves_are_not_asked_about() {
    let cluster = Cluster::start().await;
    let hook = Hook::saying(json!({"allowed": false})).await;
    let rules = json!([{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]);
    cluster.validate(vec![hook.webhook("a.all.example", json!({"rules": rules}))]).await;
    cluster.refusal().await;
    let key = Key::cluster(VALIDATINGWEBHOOKCONFIGURATIONS, "v");
    cluster.client.delete(&key, &DeleteOptions::default()).await.expect("nobody is locked out");
    cluster.eventually(&named("a"), Result::is_ok).await.expect("nobody is asked any more");
}

#[tokio::test]
async fn equivalent_versions_are_converted() {
    let cluster = Cluster::start().await;
    let hook = Hook::saying(json!({"allowed": false})).await;
    let rules = json!([{"apiGroups": ["autoscaling"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["horizontalpodautoscalers"]}]);
    let exact = json!({"rules": rules, "matchPolicy": "Exact"});
    let hooks = vec![
        hook.webhook("a.exact.example", exact),
        hook.webhook("b.all.example", json!({"rules": rules})),
    ];
    cluster.validate(hooks).await;
    let v2 = windlass_core::scheme::GroupVersionResource::new(
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
    );
    let scaler = json!({"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "a"},
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]}});
    let deadline = tokio::time::Instant::now() + SOON;
    let refused = loop {
        match cluster.make(v2.clone(), "default", &scaler).await {
            Err(status) => break status,
            Ok(_) => {
                let key = Key::new(v2.clone(), "default", "a");
                cluster.client.delete(&key, &DeleteOptions::default()).await.expect("deleted");
            }
        }
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    };
    assert!(refused.message.contains("b.all.example"), "{}", refused.message);
    let review = hook.seen.lock().pop().expect("asked");
    assert_eq!(review["request"]["object"]["apiVersion"], "autoscaling/v1");
    assert_eq!(review["request"]["object"]["spec"]["targetCPUUtilizationPercentage"], 70);
    assert_eq!(
        (&review["request"]["kind"]["version"], &review["request"]["requestKind"]["version"]),
        (&json!("v1"), &json!("v2"))
    );
}
