//! What is recorded and counted of requests.

use crate::{CONFIGMAPS, Http, Read, config_map};
use bytes::Bytes;
use futures::StreamExt;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_api::admission::{ValidatingPolicies, ValidatingWebhooks};
use windlass_api::audit::{Audit, AuditSink, Policy};
use windlass_api::authentication::{InProcess, User};
use windlass_api::authorization::{AlwaysAllow, AlwaysDeny};
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme;

const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- {level: None, nonResourceURLs: ["/version"]}
- {level: None, users: [quiet]}
- {level: Metadata, resources: [{group: "", resources: [secrets]}]}
- {level: RequestResponse, omitStages: [RequestReceived]}
"#;

#[derive(Default)]
struct Kept(Mutex<Vec<Value>>);

impl AuditSink for Kept {
    fn take(&self, event: Vec<u8>) -> bool {
        assert!(!event.contains(&b'\n'), "an event is one line");
        self.0.lock().push(serde_json::from_slice(&event).expect("JSON"));
        true
    }
}

impl Kept {
    fn take_all(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock())
    }
}

async fn audited() -> (Http, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let audit = Audit::new(Policy::parse(POLICY).expect("a policy"), kept.clone());
    let builder = ApiServer::builder().audit(audit).authenticator(Arc::new(InProcess));
    let http = Http { server: builder.build().await.expect("a server") };
    let admin = LocalClient::new(http.server.clone(), User::admin());
    let namespace = json!({"metadata": {"name": "default"}});
    let key = Key::cluster(scheme::NAMESPACES, "");
    admin.create_from(&key, &namespace).await.expect("a namespace");
    (http, kept)
}

async fn ask(http: &Http, method: Method, path: &str, body: &str) -> Read {
    let mut request = Request::builder().method(method).uri(path);
    request = request.header("user-agent", "test/1").header("x-forwarded-for", "192.0.2.1");
    request.extensions_mut().expect("a request").insert(User::new("jane", []));
    http.ask(request, body.to_owned()).await
}

#[tokio::test]
async fn requests_are_recorded_as_the_policy_says() {
    let (http, kept) = audited().await;
    let local = kept.take_all();
    assert_eq!(local.len(), 1, "clients in this process too: {local:?}");
    assert_eq!(local[0]["user"]["username"], "system:admin");

    let read = ask(&http, Method::POST, CONFIGMAPS, &config_map("a").to_string()).await;
    assert_eq!(read.code, StatusCode::CREATED);
    let events = kept.take_all();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event["auditID"], read.header("audit-id"));
    for (field, value) in [
        ("kind", json!("Event")),
        ("apiVersion", json!("audit.k8s.io/v1")),
        ("level", json!("RequestResponse")),
        ("stage", json!("ResponseComplete")),
        ("verb", json!("create")),
        ("requestURI", json!(CONFIGMAPS)),
        ("userAgent", json!("test/1")),
        ("sourceIPs", json!(["192.0.2.1"])),
        ("responseStatus", json!({"metadata": {}, "code": 201})),
    ] {
        assert_eq!(event[field], value, "{field}");
    }
    assert_eq!(
        event["objectRef"],
        json!({"resource": "configmaps", "namespace": "default", "apiVersion": "v1"})
    );
    assert_eq!(event["annotations"]["authorization.k8s.io/decision"], "allow");
    assert_eq!(event["requestObject"]["data"]["k"], "v");
    assert_eq!(event["responseObject"]["metadata"]["name"], "a");
    assert_eq!(event["responseObject"]["metadata"]["managedFields"], Value::Null);

    // Secrets are named, never shown.
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"password": "hush"}});
    ask(&http, Method::POST, "/api/v1/namespaces/default/secrets", &secret.to_string()).await;
    let events = kept.take_all();
    let stages: Vec<_> = events.iter().map(|event| event["stage"].clone()).collect();
    assert_eq!(stages, ["RequestReceived", "ResponseComplete"]);
    assert!(!json!(events).to_string().contains("hush"), "{events:?}");

    assert_eq!(ask(&http, Method::GET, "/version", "").await.code, StatusCode::OK);
    assert!(kept.take_all().is_empty());
    ask(&http, Method::GET, &format!("{CONFIGMAPS}/none"), "").await;
    let failed = kept.take_all().remove(0);
    assert_eq!(failed["responseStatus"]["reason"], "NotFound");
    assert_eq!(failed["responseStatus"]["code"], 404);
}

#[tokio::test]
async fn nobody_hides_behind_whom_he_impersonates() {
    let (http, kept) = audited().await;
    kept.take_all();
    for (header, code) in [("impersonate-user", 200), ("impersonate-group", 400)] {
        let request = Request::get(CONFIGMAPS).header(header, "quiet");
        let read = http.ask(request.extension(User::new("jane", [])), String::new()).await;
        assert_eq!(read.code, code, "{}", read.text());
        let events = kept.take_all();
        let last = events.last().expect("it is recorded");
        assert_eq!(last["user"]["username"], "jane", "{last}");
        assert_eq!(last["responseStatus"]["code"], code);
    }
}

#[tokio::test]
async fn who_may_not_be_another_is_recorded_with_him() {
    let kept = Arc::new(Kept::default());
    let audit = Audit::new(Policy::parse(POLICY).expect("a policy"), kept.clone());
    let builder = ApiServer::builder().audit(audit).authenticator(Arc::new(InProcess));
    let builder = builder.authorizer(Arc::new(AlwaysDeny));
    let http = Http { server: builder.build().await.expect("a server") };
    let request = Request::get(CONFIGMAPS).header("impersonate-user", "root");
    let read = http.ask(request.extension(User::new("jane", [])), String::new()).await;
    assert_eq!(read.code, 403, "{}", read.text());
    let events = kept.take_all();
    let last = events.last().expect("it is recorded");
    assert_eq!(last["user"]["username"], "jane", "{last}");
    assert_eq!(last["impersonatedUser"]["username"], "root", "{last}");
    assert_eq!(last["annotations"]["authorization.k8s.io/decision"], "forbid", "{last}");
    assert_eq!(last["responseStatus"]["code"], 403);
}

#[tokio::test]
async fn long_answers_have_a_beginning_and_an_end() {
    let (http, kept) = audited().await;
    kept.take_all();
    let request = Request::get(format!("{CONFIGMAPS}?watch=1&resourceVersion=0"));
    let request = request.extension(User::new("jane", []));
    let watch = http.send(request, Bytes::new()).await;
    let started = kept.take_all();
    assert_eq!(started.len(), 1);
    assert_eq!(
        (&started[0]["stage"], &started[0]["verb"]),
        (&json!("ResponseStarted"), &json!("watch"))
    );
    let text = http.get("/metrics").await.text();
    let long = text.lines().find(|line| line.starts_with("apiserver_longrunning_requests{"));
    assert!(long.is_some_and(|line| line.contains("WATCH") && line.ends_with(" 1")), "{text}");
    kept.take_all();
    drop(watch);
    let ended = kept.take_all();
    assert_eq!(ended[0]["stage"], "ResponseComplete");
    assert_eq!(ended[0]["auditID"], started[0]["auditID"]);
}

/// Has no room.
struct Full;

impl AuditSink for Full {
    fn take(&self, _: Vec<u8>) -> bool {
        false
    }
}

#[tokio::test]
async fn what_can_not_be_recorded_may_be_refused() {
    for (strict, code) in [(false, StatusCode::OK), (true, StatusCode::INTERNAL_SERVER_ERROR)] {
        let policy = Policy::parse(POLICY).expect("a policy");
        let sink = Arc::new(Full);
        let audit = if strict { Audit::strict(policy, sink) } else { Audit::new(policy, sink) };
        let builder = ApiServer::builder().audit(audit.clone());
        let http = Http { server: builder.build().await.expect("a server") };
        let secrets = http.get("/api/v1/namespaces/default/secrets").await;
        assert_eq!((secrets.code, audit.rejected()), (code, u64::from(strict)));
        let metrics = http.get("/metrics").await.text();
        let line = format!("apiserver_audit_requests_rejected_total {}", u8::from(strict));
        assert!(metrics.contains(&line), "{metrics}");
    }
}

#[tokio::test]
async fn a_client_may_name_its_request() {
    let http = Http::start().await;
    let read = http.ask(Request::get("/version").header("audit-id", "mine"), "").await;
    assert_eq!(read.header("audit-id"), "mine");
    let long = "x".repeat(1000);
    let read = http.ask(Request::get("/version").header("audit-id", &long), "").await;
    assert_eq!(read.header("audit-id").len(), 64);
    assert_eq!(http.get("/version").await.header("audit-id").len(), 36);
}

#[tokio::test]
async fn metrics_have_kubernetes_names_and_no_text_of_clients() {
    let http = Http::start().await;
    http.post(CONFIGMAPS, &config_map("a")).await;
    http.get("/api/v1/namespaces/default/widgets").await;
    http.get("/api/v1/namespaces/default/pods/p/widget").await;
    let mut watch = http.send(Request::get(format!("{CONFIGMAPS}?watch=1")), Bytes::new()).await;
    let frame = watch.body_mut().frame().await.expect("an event").expect("it is read");
    assert!(frame.is_data());
    let read = http.get("/metrics").await;
    assert_eq!(
        read.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = read.text();
    for line in [
        "apiserver_request_total{verb=\"POST\",dry_run=\"\",group=\"\",version=\"v1\",resource=\"configmaps\",\
         subresource=\"\",scope=\"namespace\",component=\"apiserver\",code=\"201\"} 1",
        "apiserver_storage_objects{resource=\"configmaps\"} 1",
        "apiserver_watch_events_total{group=\"\",version=\"v1\",kind=\"ConfigMap\"} 1",
        "apiserver_flowcontrol_nominal_limit_seats{priority_level=\"workload-low\"} 245",
        "apiserver_current_inflight_requests{request_kind=\"readOnly\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    for name in [
        "apiserver_request_duration_seconds_bucket{",
        "apiserver_flowcontrol_dispatched_requests_total{",
        "apiserver_flowcontrol_rejected_requests_total{",
        "apiserver_flowcontrol_request_wait_duration_seconds_bucket{le=\"0.005\",priority_level=",
        "apiserver_flowcontrol_request_execution_seconds_count{priority_level=\"exempt\",flow_schema=\"exempt\"} 5",
        "etcd_request_duration_seconds_count{operation=\"txn\"}",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
    ] {
        assert!(text.contains(name), "{name}\n{text}");
    }
    assert!(!text.contains("widget"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn watches_of_this_process_are_recorded_to_their_end() {
    use windlass_core::client::{Scope, Watcher};
    let (http, kept) = audited().await;
    kept.take_all();
    let client = LocalClient::new(http.server.clone(), User::admin());
    let watch = client.watch(&Scope::all(scheme::CONFIGMAPS), &Default::default()).await;
    let mut watch = watch.expect("a watch");
    assert_eq!(kept.take_all()[0]["stage"], "ResponseStarted");
    http.server.close();
    while watch.next().await.is_some() {}
    drop(watch);
    assert_eq!(kept.take_all()[0]["stage"], "ResponseComplete");
}

#[tokio::test]
async fn webhooks_and_policies_are_counted() {
    let allow = Arc::new(AlwaysAllow);
    let asked = allow.clone();
    let builder = ApiServer::builder()
        .admission_with(move |objects| Arc::new(ValidatingPolicies::new(objects, asked)))
        .admission_with(move |objects| Arc::new(ValidatingWebhooks::new(objects, allow)));
    let http = Http::with(builder).await;
    let rules = json!([{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}]);
    let api = "/apis/admissionregistration.k8s.io/v1";
    let policy = json!({"metadata": {"name": "p"}, "spec": {"matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "object.metadata.name != 'bad'"}]}});
    http.post(&format!("{api}/validatingadmissionpolicies"), &policy).await;
    let binding = json!({"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}});
    http.post(&format!("{api}/validatingadmissionpolicybindings"), &binding).await;
    // Nobody listens there.
    let hook = |name: &str, policy: &str| {
        json!({"name": name, "rules": rules, "failurePolicy": policy,
        "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://127.0.0.1:1/"}})
    };
    let hooks = json!({"metadata": {"name": "h"},
        "webhooks": [hook("open.hook.example", "Ignore"), hook("shut.hook.example", "Fail")]});
    let create = |name: &'static str| {
        let http = &http;
        async move { http.method(Method::POST, CONFIGMAPS, &config_map(name)).await.code }
    };
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while create("bad").await != StatusCode::UNPROCESSABLE_ENTITY {
        http.method(Method::DELETE, &format!("{CONFIGMAPS}/bad"), &json!({})).await;
        assert!(tokio::time::Instant::now() < deadline, "the policy is in force");
        tokio::task::yield_now().await;
    }
    assert_eq!(create("good").await, StatusCode::CREATED);
    http.post(&format!("{api}/validatingwebhookconfigurations"), &hooks).await;
    let mut at = 0;
    while http.method(Method::POST, CONFIGMAPS, &config_map(&format!("c{at}"))).await.code
        != StatusCode::INTERNAL_SERVER_ERROR
    {
        at += 1;
        assert!(tokio::time::Instant::now() < deadline, "the webhooks are in force");
        tokio::task::yield_now().await;
    }
    let text = http.get("/metrics").await.text();
    for line in [
        "apiserver_validating_admission_policy_check_total{error_type=\"no_error\",policy=\"p\",policy_binding=\"b\",enforcement_action=\"deny\"} 1",
        "apiserver_validating_admission_policy_check_total{error_type=\"no_error\",policy=\"p\",policy_binding=\"b\",enforcement_action=\"allow\"}",
        "apiserver_validating_admission_policy_check_duration_seconds_bucket{",
        "apiserver_admission_webhook_fail_open_count{name=\"open.hook.example\",type=\"validating\"} 1",
        "apiserver_admission_webhook_rejection_count{name=\"shut.hook.example\",operation=\"CREATE\",type=\"validating\",error_type=\"calling_webhook_error\",rejection_code=\"0\"} 1",
        "apiserver_admission_webhook_admission_duration_seconds_count{name=\"open.hook.example\",operation=\"CREATE\",type=\"validating\",rejected=\"false\"} 1",
        "apiserver_admission_webhook_admission_duration_seconds_count{name=\"shut.hook.example\",operation=\"CREATE\",type=\"validating\",rejected=\"true\"} 1",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
