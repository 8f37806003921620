use super::*;
use crate::authentication::User;
use crate::handler::Seen;
use crate::local::LocalClient;
use crate::server::ApiServer;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::Object;
use windlass_core::client::{Client, ClientExt, DeleteOptions, Key, ListOptions};
use windlass_core::component::Shutdown;
use windlass_core::request::{Target, parse};

/// The table: who, verb, path, and what is said. `-` is an empty refusal.
const CASES: &str = include_str!("tests/cases.txt");

fn object(value: Value) -> Object {
    Object::from_wire(value.to_string().into()).expect("an object")
}

fn known() -> NodeAuthorizer {
    let authorizer = NodeAuthorizer::default();
    let set = |origin, object: &Object, edges| {
        let source = (origin, object.namespace().into(), object.name().into());
        authorizer.graph.write().set(source, edges);
    };
    let pods = json!([
        {"metadata": {"name": "web", "namespace": "a", "uid": "1"}, "spec": {
            "nodeName": "one", "serviceAccountName": "bot", "imagePullSecrets": [{"name": "pull"}],
            "containers": [{"env": [{"name": "A", "value": "x"},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "env", "key": "k"}}},
                    {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "envFrom": [{"configMapRef": {"name": "all"}}]}],
            "initContainers": [{"envFrom": [{"secretRef": {"name": "init"}}]}],
            "volumes": [{"name": "v", "secret": {"secretName": "mounted"}},
                {"name": "w", "configMap": {"name": "mounted"}},
                {"name": "x", "projected": {"sources": [{"secret": {"name": "part"}},
                    {"serviceAccountToken": {"path": "t"}}, {"configMap": {"name": "kube-root-ca.crt"}}]}},
                {"name": "y", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "z", "ephemeral": {"volumeClaimTemplate": {}}}],
            "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}]}},
        {"metadata": {"name": "db", "namespace": "a", "uid": "2"}, "spec": {
            "nodeName": "two", "serviceAccountName": "default", "containers": [],
            "volumes": [{"name": "v", "secret": {"secretName": "shared"}}]}},
        {"metadata": {"name": "waiting", "namespace": "a", "uid": "3"}, "spec": {
            "containers": [], "volumes": [{"name": "v", "secret": {"secretName": "later"}}]}},
        {"metadata": {"name": "mirror", "namespace": "a", "uid": "4",
            "annotations": {"kubernetes.io/config.mirror": "x"}}, "spec": {
            "nodeName": "one", "containers": [], "volumes": [{"name": "v", "secret": {"secretName": "mirrored"}}]}},
    ]);
    for pod in pods.as_array().expect("a list") {
        let pod = object(pod.clone());
        set(graph::Origin::Pod, &pod, self::pod::pod(&pod).expect("a pod"));
    }
    let volume = object(json!({"metadata": {"name": "pv", "uid": "5"}, "spec": {
        "claimRef": {"namespace": "a", "name": "data"},
        "csi": {"nodePublishSecretRef": {"namespace": "csi", "name": "node"},
            "controllerPublishSecretRef": {"namespace": "csi", "name": "controller"}}}}));
    set(graph::Origin::Volume, &volume, self::pod::volume(&volume).expect("a volume"));
    let attached =
        object(json!({"metadata": {"name": "va", "uid": "6"}, "spec": {"nodeName": "one"}}));
    set(graph::Origin::Attachment, &attached, self::pod::attachment(&attached).expect("one"));
    let slice =
        object(json!({"metadata": {"name": "gpus", "uid": "7"}, "spec": {"nodeName": "one"}}));
    set(graph::Origin::Slice, &slice, self::pod::slice(&slice).expect("a slice"));
    authorizer
}

#[tokio::test]
async fn nodes_may_what_their_pods_need() {
    let authorizer = known();
    for line in CASES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut fields = line.split('|').map(str::trim);
        let mut next = || fields.next().expect("four fields");
        let (user, verb, path, expected) = (next(), next(), next(), next());
        let user = match user {
            "stranger" => User::new("system:node:one", []),
            "nameless" => User::new("one", [NODES]),
            node => User::new(format!("{PREFIX}{node}"), [NODES]),
        };
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        let info = parse(&http::Method::GET, path, query);
        let list = ListOptions::from_query(&info.query).expect("a query");
        let seen = match &info.target {
            Target::Resource(target) => Some(Seen::of(target, Some(&list))),
            Target::Path => None,
        };
        let attributes = match &seen {
            Some(seen) => seen.attributes_of(&user, verb),
            None => Attributes::of_path(&user, verb, &info.path),
        };
        let said = match authorizer.authorize(&attributes).await {
            Decision::Allow(_) => "yes".to_owned(),
            Decision::NoOpinion(why) if why.is_empty() => "-".to_owned(),
            Decision::NoOpinion(why) | Decision::Deny(why) => why,
        };
        assert_eq!(said, expected, "{line}");
    }
}

#[test]
fn what_goes_takes_its_rights_along() {
    let authorizer = known();
    let mut graph = authorizer.graph.write();
    let secret = Vertex::new(Kind::Secret, "a", "shared");
    assert!(graph.leads("two", &secret) && !graph.leads("one", &secret));
    use graph::Origin;
    for origin in [Origin::Pod, Origin::Volume, Origin::Attachment, Origin::Slice] {
        graph.keep(origin, |_| false);
    }
    assert!(graph.is_empty());
}

#[tokio::test]
async fn the_graph_follows_a_server() {
    let server = ApiServer::builder().build().await.expect("a server");
    let client: Arc<dyn Client> = Arc::new(LocalClient::new(server, User::admin()));
    let make =
        async |key: Key, object: Value| client.create_from(&key, &object).await.expect("made");
    make(Key::cluster(scheme::NAMESPACES, ""), json!({"metadata": {"name": "a"}})).await;
    let (authorizer, shutdown) = (Arc::new(NodeAuthorizer::default()), Shutdown::new());
    for ready in authorizer.follow(&client, &shutdown) {
        ready.wait().await;
    }
    let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "one", "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "secret": {"secretName": "s"}}]}});
    make(Key::new(scheme::PODS, "a", ""), pod).await;
    let secret = Vertex::new(Kind::Secret, "a", "s");
    let until = async |wanted: bool| {
        // Nothing tells when the graph has learned: it is asked between other tasks' turns.
        let learned = async {
            while authorizer.graph.read().leads("one", &secret) != wanted {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), learned).await.expect("it learns");
    };
    until(true).await;
    let away = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    client.delete(&Key::new(scheme::PODS, "a", "p"), &away).await.expect("deleted");
    until(false).await;
    shutdown.cancel();
}
