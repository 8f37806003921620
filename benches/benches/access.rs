//! Who may do what: decisions by roles, with 1,000 bindings. Alone:
//! `cargo bench -p windlass-benches --no-default-features --bench access`.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{Criterion, criterion_group, criterion_main};
use futures::FutureExt;
use futures::future::try_join_all;
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use windlass_api::authentication::User;
use windlass_api::authorization::{Attributes, Authorizer, Decision, Rbac};
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::cache::InformerFactory;
use windlass_core::client::{Client, Key, WriteOptions};
use windlass_core::component::Shutdown;
use windlass_core::request::{Target, parse};
use windlass_core::scheme::{self, GroupVersionResource};

const BINDINGS: usize = 1000;
const NAMESPACES: usize = 50;

/// The default roles, and bindings of users and groups to roles of 50 namespaces and of the cluster.
async fn rbac() -> Arc<Rbac> {
    let server = ApiServer::builder().build().await.expect("a server");
    let client: Arc<dyn Client> = Arc::new(LocalClient::new(server, User::admin()));
    let make = async |resource: GroupVersionResource, namespace: String, object: Value| {
        let key = Key::new(resource, namespace, "");
        let body = object.to_string().into();
        client.create(&key, body, &WriteOptions::default()).await.map(drop)
    };
    let named = |name: String| json!({"metadata": {"name": name}});
    let namespaces =
        (0..NAMESPACES).map(|at| make(scheme::NAMESPACES, String::new(), named(format!("n{at}"))));
    try_join_all(namespaces).await.expect("made");
    let rules: Vec<Value> = (0..10)
        .map(|at| json!({"verbs": ["get", "list", "watch"], "apiGroups": [format!("g{at}")], "resources": ["a", "b", "c", "d"]}))
        .chain([json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps", "pods", "pods/log"]})])
        .collect();
    let role = json!({"metadata": {"name": "reader"}, "rules": rules});
    make(scheme::CLUSTERROLES, String::new(), role).await.expect("made");
    let bindings = (0..BINDINGS).map(|at| {
        let binding = json!({"metadata": {"name": format!("b{at}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
            "subjects": [
                {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": format!("u{}", at % 200)},
                {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": format!("g{}", at % 100)},
            ]});
        let namespace = format!("n{}", at % NAMESPACES);
        make(scheme::ROLEBINDINGS, namespace, binding)
    });
    try_join_all(bindings).await.expect("made");
    let (rbac, shutdown) = (Arc::<Rbac>::default(), Shutdown::new());
    for synced in rbac.follow(&InformerFactory::new(client, shutdown)) {
        synced.wait().await;
    }
    rbac
}

fn decide(rbac: &Rbac, user: &User, path: &str) -> Decision {
    let info = parse(&http::Method::GET, path, None);
    let Target::Resource(target) = &info.target else { panic!("it names a resource") };
    let attributes = Attributes::of(user, "list", target);
    rbac.authorize(&attributes).now_or_never().expect("answered from memory")
}

fn access(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rbac = runtime.block_on(rbac());
    let mut group = c.benchmark_group("rbac, 1,000 bindings");
    let member = User::new("u7", ["g7", "g57", "system:masters-not", "more", "and-more"]);
    for (name, path, allowed) in [
        ("allowed", "/api/v1/namespaces/n7/pods", true),
        ("refused", "/api/v1/namespaces/n7/secrets", false),
        ("refused elsewhere", "/api/v1/namespaces/n8/pods", false),
    ] {
        assert_eq!(decide(&rbac, &member, path).is_allowed(), allowed, "{name}");
        let info = parse(&http::Method::GET, path, None);
        let Target::Resource(target) = &info.target else { panic!("it names a resource") };
        let attributes = Attributes::of(&member, "list", target);
        group.bench_function(name, |b| {
            b.iter(|| black_box(rbac.authorize(black_box(&attributes)).now_or_never()));
        });
    }
    group.finish();
}

criterion_group!(benches, access);
criterion_main!(benches);
