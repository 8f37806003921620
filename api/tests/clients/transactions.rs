//! Writes that happen together or not at all.

use crate::{fill, over_tls_client};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use windlass_api::admission::{Admission, AdmissionRequest, Operation as Operation_};
use windlass_api::audit::{Audit, AuditSink, Policy};
use windlass_api::authentication::User;
use windlass_api::authorization::{Attributes, Authorizer, Decision};
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::client::{
    Action, Client, ClientExt, DeleteOptions, Key, Operation, WriteOptions,
};
use windlass_core::meta::{Reason, Status};
use windlass_core::scheme::GroupVersionResource;
use windlass_core::{Error, Object, scheme};

async fn server() -> Arc<ApiServer> {
    let server = ApiServer::builder().transactions().build().await.expect("a server");
    fill(server.clone()).await;
    server
}

async fn client() -> Arc<dyn Client> {
    Arc::new(LocalClient::new(server().await, User::admin()))
}

fn operation(action: Action, object: Value) -> Operation {
    let Value::Object(object) = object else { panic!("an object") };
    Operation::new(action, object)
}

fn config_map(namespace: &str, name: &str, data: Value) -> Value {
    let metadata = json!({"namespace": namespace, "name": name});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
}

fn key(namespace: &str, name: &str) -> Key {
    Key::new(scheme::CONFIGMAPS, namespace, name)
}

async fn all(
    client: &dyn Client,
    operations: Vec<Operation>,
) -> Result<Vec<Option<Arc<Object>>>, Error> {
    client.transact(operations, &WriteOptions::manager("tests")).await
}

async fn there(client: &dyn Client, key: &Key) -> bool {
    client.get(key).await.is_ok()
}

fn refused(result: Result<Vec<Option<Arc<Object>>>, Error>) -> (Reason, String) {
    let error = result.expect_err("it is refused");
    (error.reason().expect("the server says why"), error.to_string())
}

async fn many_kinds_at_one_version(client: Arc<dyn Client>) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}});
    let service = |name: &str| {
        let spec = json!({"ports": [{"port": 80}]});
        let metadata = json!({"namespace": "new", "name": name});
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    };
    let mut patch = operation(Action::Patch, config_map("new", "a", json!({})));
    patch.patch = Some(json!({"data": {"b": "2"}}));
    let operations = vec![
        operation(Action::Create, namespace),
        operation(Action::Create, config_map("new", "a", json!({"a": "1"}))),
        operation(Action::Apply, service("s")),
        operation(Action::Create, service("t")),
        patch,
    ];
    let done = all(&*client, operations).await.expect("it is done");
    let versions: Vec<u64> = done.iter().flatten().map(|one| one.resource_version()).collect();
    assert_eq!((versions.len(), versions.iter().max()), (5, versions.iter().min()));
    let (first, now) = (done[1].clone().expect("made"), client.get(&key("new", "a")).await);
    let now = now.expect("it is there");
    assert_eq!(
        (now.resource_version(), now.header().uid.clone()),
        (versions[0], first.header().uid.clone())
    );
    let data: Value = now.view().expect("a config map");
    assert_eq!(data["data"], json!({"a": "1", "b": "2"}), "later operations see earlier ones");
    let ip = |at: usize| {
        let service: Value = done[at].as_ref().expect("made").view().expect("a service");
        service["spec"]["clusterIP"].as_str().expect("an address").to_owned()
    };
    assert_ne!(ip(2), ip(3));
}

#[tokio::test]
async fn all_happen_in_process() {
    many_kinds_at_one_version(client().await).await;
}

#[tokio::test]
async fn all_happen_over_tls() {
    let server = ApiServer::builder().transactions();
    let (client, _running) = over_tls_client(server).await;
    many_kinds_at_one_version(client).await;
}

#[tokio::test]
async fn nothing_happens_when_one_is_refused() {
    let client = client().await;
    let create = |name: &str| operation(Action::Create, config_map("default", name, json!({})));
    // Nobody would ever see it again.
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "metadata": {"name": "t"}, "spec": {"token": "hidden"}});
    for (bad, reason) in [
        (
            operation(Action::Create, config_map("default", "Not A Name", json!({}))),
            Reason::Invalid,
        ),
        (operation(Action::Create, config_map("absent", "b", json!({}))), Reason::NotFound),
        (operation(Action::Update, config_map("default", "b", json!({}))), Reason::NotFound),
        (operation(Action::Delete, config_map("default", "b", json!({}))), Reason::NotFound),
        (operation(Action::Check, config_map("default", "b", json!({}))), Reason::NotFound),
        (operation(Action::Patch, config_map("default", "a", json!({}))), Reason::BadRequest),
        (operation(Action::Create, json!({"apiVersion": "v9", "kind": "X"})), Reason::BadRequest),
        (operation(Action::Create, review.clone()), Reason::BadRequest),
        (create("a"), Reason::AlreadyExists),
    ] {
        let (why, text) = refused(all(&*client, vec![create("a"), bad, create("c")]).await);
        assert_eq!(why, reason, "{text}");
        assert!(text.contains("operations[1]: "), "{text}");
        assert!(!there(&*client, &key("default", "a")).await);
    }
    assert_eq!(refused(all(&*client, Vec::new()).await).0, Reason::BadRequest);
}

#[tokio::test]
async fn preconditions_hold_or_nothing_happens() {
    let client = client().await;
    let made =
        all(&*client, vec![operation(Action::Create, config_map("default", "a", json!({})))]);
    let made = made.await.expect("it is made").remove(0).expect("an object");
    let at = |action: Action, version: u64| {
        let mut object = config_map("default", "a", json!({}));
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let mut operation = operation(action, object);
        operation.patch = (action == Action::Patch).then(|| json!({"data": {"x": "y"}}));
        operation
    };
    let version = made.resource_version();
    for action in [Action::Check, Action::Update, Action::Patch, Action::Delete] {
        let other = operation(Action::Create, config_map("default", "b", json!({})));
        let (why, text) = refused(all(&*client, vec![other, at(action, version - 1)]).await);
        assert_eq!(why, Reason::Conflict, "{action:?}: {text}");
        assert!(!there(&*client, &key("default", "b")).await);
    }
    let other = operation(Action::Create, config_map("default", "b", json!({})));
    let again = operation(Action::Create, config_map("default", "a", json!({"z": "z"})));
    let operations = vec![at(Action::Check, version), at(Action::Delete, version), again, other];
    let done = all(&*client, operations).await.expect("it is as it should be");
    assert!(done[0].is_some() && done[1].is_none() && done[2].is_some());
    let now = client.get(&key("default", "a")).await.expect("it is there again");
    assert_ne!(now.header().uid, made.header().uid);
}

#[tokio::test]
async fn a_dry_run_keeps_nothing() {
    let client = client().await;
    let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let operations = vec![operation(Action::Create, config_map("default", "a", json!({})))];
    let done = client.transact(operations, &options).await.expect("it would work");
    assert_eq!(done[0].as_ref().map(|object| object.name().to_owned()), Some("a".into()));
    assert!(!there(&*client, &key("default", "a")).await);
}

/// Lets users do all but write secrets.
struct NoSecrets;

#[async_trait::async_trait]
impl Authorizer for NoSecrets {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        match attributes.resource {
            Some(target) if target.resource == scheme::SECRETS => {
                Decision::NoOpinion(String::new())
            }
            _ => Decision::allow(),
        }
    }
}

#[tokio::test]
async fn each_needs_the_rights_it_would_need_alone() {
    let builder = ApiServer::builder().transactions().authorizer(Arc::new(NoSecrets));
    let server = builder.build().await.expect("a server");
    fill(server.clone()).await;
    let client = LocalClient::new(server, User { name: "eve".into(), ..User::default() });
    let metadata = json!({"namespace": "default", "name": "s"});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata});
    let mine = operation(Action::Create, config_map("default", "a", json!({})));
    let result = all(&client, vec![mine, operation(Action::Create, secret)]).await;
    assert_eq!(refused(result).0, Reason::Forbidden);
    assert!(!there(&client, &key("default", "a")).await);
}

#[tokio::test]
async fn the_results_have_an_end() {
    let client = client().await;
    let large = config_map("default", "large", json!({"a": "a".repeat(900 << 10)}));
    client.create_from(&key("default", ""), &large).await.expect("made");
    let check = || operation(Action::Check, config_map("default", "large", json!({})));
    let (why, text) = refused(all(&*client, (0..50).map(|_| check()).collect()).await);
    assert_eq!(why, Reason::RequestEntityTooLarge, "{text}");
    all(&*client, (0..20).map(|_| check()).collect()).await.expect("this many may be looked at");
}

/// Keeps what is recorded.
#[derive(Default)]
struct Recorded(parking_lot::Mutex<Vec<String>>);

impl AuditSink for Recorded {
    fn take(&self, event: Vec<u8>) -> bool {
        self.0.lock().push(String::from_utf8_lossy(&event).into_owned());
        true
    }
}

#[tokio::test]
async fn the_audit_log_names_what_is_done_and_shows_no_secret() {
    let policy = r#"{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [
        {level: Metadata, resources: [{group: "", resources: [secrets]}]}, {level: RequestResponse}]}"#;
    let (policy, sink) = (Policy::parse(policy).expect("a policy"), Arc::new(Recorded::default()));
    let builder = ApiServer::builder().transactions().audit(Audit::new(policy, sink.clone()));
    let server = builder.build().await.expect("a server");
    fill(server.clone()).await;
    let client = LocalClient::new(server, User::admin());
    let metadata = json!({"namespace": "default", "name": "s"});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": "hidden"}});
    let mine = operation(Action::Create, config_map("default", "a", json!({"k": "shown"})));
    sink.0.lock().clear();
    all(&client, vec![operation(Action::Create, secret), mine]).await.expect("made");
    let events = std::mem::take(&mut *sink.0.lock());
    let (last, done) = events.split_last().expect("it is recorded");
    assert!(last.contains(r#""windlass.dev/operations":"Create v1 Secret default/s, "#), "{last}");
    assert!(last.contains(r#""authorization.k8s.io/decision":"allow""#), "{last}");
    assert!(!events.concat().contains("hidden") && !events.concat().contains("aGlkZGVu"));

    // Each as if it had been done alone.
    let done: Vec<Value> =
        done.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
    let of = |at: &str| {
        let mine = |event: &&Value| event["annotations"]["windlass.dev/operation"] == at;
        done.iter().rfind(mine).expect("it is recorded").clone()
    };
    let (secret, map) = (of("0"), of("1"));
    assert_eq!((&secret["level"], &secret["verb"]), (&json!("Metadata"), &json!("create")));
    assert_eq!(secret["objectRef"]["resource"], "secrets");
    assert_eq!(secret["responseStatus"]["code"], 201);
    assert_eq!(map["stage"], "ResponseComplete");
    assert_eq!(map["requestURI"], "/api/v1/namespaces/default/configmaps");
    assert_eq!(map["requestObject"]["data"]["k"], "shown");
    assert_eq!(map["responseObject"]["metadata"]["name"], "a");
    assert_eq!(map["auditID"], secret["auditID"]);
}

/// Takes the events about anything but secrets.
struct Full(Recorded);

impl AuditSink for Full {
    fn take(&self, event: Vec<u8>) -> bool {
        let text = String::from_utf8_lossy(&event);
        !text.contains(r#""resource":"secrets""#) && self.0.take(event)
    }
}

#[tokio::test]
async fn what_can_not_be_recorded_is_not_done_within_one_either() {
    let policy = "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Metadata}]}";
    let sink = Arc::new(Full(Recorded::default()));
    let audit = Audit::strict(Policy::parse(policy).expect("a policy"), sink);
    let server = ApiServer::builder().transactions().audit(audit).build().await.expect("a server");
    fill(server.clone()).await;
    let client = LocalClient::new(server, User::admin());
    let metadata = json!({"namespace": "default", "name": "s"});
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata});
    let mine = operation(Action::Create, config_map("default", "a", json!({})));
    let result = all(&client, vec![mine.clone(), operation(Action::Create, secret)]).await;
    assert!(refused(result).1.contains("failed to update audit event"));
    assert!(!there(&client, &key("default", "a")).await);
    all(&client, vec![mine]).await.expect("what can be recorded is done");
}

#[tokio::test]
async fn one_that_can_not_be_read_hides_none_of_the_others() {
    let policy = "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: Metadata}]}";
    let (policy, sink) = (Policy::parse(policy).expect("a policy"), Arc::new(Recorded::default()));
    let asked = Arc::new(Told::default());
    let builder = ApiServer::builder().transactions().admission(asked.clone());
    let builder = builder.audit(Audit::new(policy, sink.clone()));
    let server = builder.build().await.expect("a server");
    fill(server.clone()).await;
    let client = LocalClient::new(server, User::admin());
    asked.0.lock().clear();
    sink.0.lock().clear();
    let mine = operation(Action::Create, config_map("default", "a", json!({})));
    let bad = operation(Action::Create, json!({"apiVersion": "v1", "kind": "Nothing"}));
    let (why, text) = refused(all(&client, vec![mine, bad]).await);
    assert_eq!(why, Reason::BadRequest);
    assert!(text.contains("operations[1]: no kind"), "{text}");
    assert!(asked.0.lock().is_empty(), "nothing is begun of it");
    let events = sink.0.lock().concat();
    assert!(events.contains(r#""windlass.dev/operation":"0""#), "{events}");
}

/// Notes whether it was told that nothing is kept.
#[derive(Default)]
struct Told(parking_lot::Mutex<Vec<bool>>);

#[async_trait::async_trait]
impl Admission for Told {
    fn handles(&self, _: Operation_, resource: &GroupVersionResource) -> bool {
        *resource == scheme::CONFIGMAPS
    }

    async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        let deletes = request.delete.is_some_and(DeleteOptions::is_dry_run);
        self.0.lock().push(request.options.dry_run || deletes);
        Ok(())
    }
}

#[tokio::test]
async fn admission_is_told_of_a_dry_run() {
    let told = Arc::new(Told::default());
    let builder = ApiServer::builder().transactions().admission(told.clone());
    let server = builder.build().await.expect("a server");
    fill(server.clone()).await;
    let client = LocalClient::new(server, User::admin());
    let create = |name: &str| operation(Action::Create, config_map("default", name, json!({})));
    all(&client, vec![create("there")]).await.expect("made");
    told.0.lock().clear();
    let delete = operation(Action::Delete, config_map("default", "there", json!({})));
    let update = operation(Action::Update, config_map("default", "a", json!({"a": "b"})));
    let options = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let done = client.transact(vec![create("a"), update, delete], &options).await;
    assert_eq!(done.expect("it would work").len(), 3, "later operations see earlier ones");
    assert_eq!(*told.0.lock(), [true, true, true]);
    assert!(there(&client, &key("default", "there")).await);
    assert!(!there(&client, &key("default", "a")).await);
}

/// Moves one from a purse to another, whatever others do meanwhile.
async fn pay(client: Arc<dyn Client>, from: &'static str, to: &'static str) {
    loop {
        let mut operations = Vec::new();
        for (name, change) in [(from, -1), (to, 1)] {
            let purse = client.get(&key("default", name)).await.expect("a purse");
            let mut object: Map<String, Value> = purse.view().expect("a config map");
            let held: i64 =
                object["data"]["held"].as_str().expect("held").parse().expect("a number");
            object["data"]["held"] = (held + change).to_string().into();
            operations.push(Operation::new(Action::Update, object));
        }
        match all(&*client, operations).await {
            Ok(_) => return,
            Err(error) if error.is_conflict() => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_half_of_one() {
    let client = client().await;
    let names = ["a", "b", "c"];
    let purse = |name: &&str| {
        operation(Action::Create, config_map("default", name, json!({"held": "100"})))
    };
    all(&*client, names.iter().map(purse).collect()).await.expect("three purses");
    let pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "c")];
    let paying = (0..40).map(|i| {
        let (from, to) = pairs[i % pairs.len()];
        tokio::spawn(pay(client.clone(), from, to))
    });
    futures::future::try_join_all(paying).await.expect("all paid");
    let mut held = Vec::new();
    for name in names {
        let purse: Value = client.get_as(&key("default", name)).await.expect("a purse");
        held.push(purse["data"]["held"].as_str().expect("held").parse::<i64>().expect("a number"));
    }
    assert_eq!(held, [90, 100, 110]);
}
