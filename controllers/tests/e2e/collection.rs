//! What comes with a namespace, and what goes.

use crate::between::{Between, Fate};
use crate::cluster::{Cluster, NS, key, workload};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use windlass_controllers::{Settings, TokenSigner};
use windlass_core::client::{ClientExt, DeleteOptions, Key, Propagation};
use windlass_core::component::BoxError;
use windlass_core::scheme::{self, GroupVersionResource};

const ALL: &[&str] =
    &["garbage-collector-controller", "replicaset-controller", "deployment-controller"];

fn policy(policy: Propagation) -> DeleteOptions {
    DeleteOptions { propagation_policy: Some(policy), ..DeleteOptions::default() }
}

#[tokio::test(start_paused = true)]
async fn dependents_go_after_their_owner() {
    let cluster = Cluster::start(ALL).await;
    cluster.create(scheme::DEPLOYMENTS, workload("web", json!({"replicas": 3}))).await;
    cluster.until_count(scheme::PODS, "app=web", 3).await;
    cluster.delete(&key(scheme::DEPLOYMENTS, "web"), policy(Propagation::Background)).await;
    cluster.until_count(scheme::REPLICASETS, "", 0).await;
    cluster.until_count(scheme::PODS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn in_the_foreground_the_owner_goes_last() {
    let cluster = Cluster::start(ALL).await;
    cluster.create(scheme::REPLICASETS, workload("rs", json!({"replicas": 2}))).await;
    cluster.until_count(scheme::PODS, "app=rs", 2).await;
    cluster.delete(&key(scheme::REPLICASETS, "rs"), policy(Propagation::Foreground)).await;
    cluster.until_count(scheme::REPLICASETS, "", 0).await;
    assert!(cluster.list(scheme::PODS, "").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn many_dependents_go_each_by_itself() {
    // What deletes the first one never comes back.
    let settings = Settings::default();
    let cluster = Cluster::through(&["garbage-collector-controller"], settings, |server| {
        Between::fails(server, |key| match key.name.as_str() {
            "d0" => Fate::Refused,
            _ => Fate::Done,
        })
    })
    .await;
    let owner = cluster.create(scheme::CONFIGMAPS, json!({"metadata": {"name": "owner"}})).await;
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
        "uid": owner["metadata"]["uid"], "blockOwnerDeletion": true}]);
    for number in 0..300 {
        let name = format!("d{number}");
        let map = json!({"metadata": {"name": name, "ownerReferences": owner}});
        cluster.create(scheme::SECRETS, map).await;
    }
    cluster.delete(&key(scheme::CONFIGMAPS, "owner"), policy(Propagation::Foreground)).await;
    cluster.until("all but one", scheme::SECRETS, "", |all| all.len() == 1).await;
    assert_eq!(cluster.list(scheme::CONFIGMAPS, "").await.len(), 1, "it waits");
    cluster.delete(&key(scheme::SECRETS, "d0"), DeleteOptions::default()).await;
    cluster.until_count(scheme::CONFIGMAPS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn orphans_stay_without_an_owner() {
    let cluster = Cluster::start(ALL).await;
    cluster.create(scheme::REPLICASETS, workload("rs", json!({"replicas": 2}))).await;
    cluster.until_count(scheme::PODS, "app=rs", 2).await;
    cluster.delete(&key(scheme::REPLICASETS, "rs"), policy(Propagation::Orphan)).await;
    cluster.until_count(scheme::REPLICASETS, "", 0).await;
    cluster.pass(60).await;
    let pods = cluster.list(scheme::PODS, "").await;
    assert!(
        pods.len() == 2 && pods.iter().all(|pod| pod["metadata"]["ownerReferences"].is_null()),
        "{pods:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_an_owner_that_never_was_goes() {
    let cluster = Cluster::start(ALL).await;
    let owner = |kind: &str, uid: &str| json!([{"apiVersion": "v1", "kind": kind, "name": "x", "uid": uid}]);
    let map = cluster.create(scheme::CONFIGMAPS, json!({"metadata": {"name": "x"}})).await;
    let owners = [
        ("lost", owner("ConfigMap", "none")),
        ("kept", owner("ConfigMap", map["metadata"]["uid"].as_str().unwrap())),
        ("unknown", owner("Thing", "other")),
    ];
    for (name, owner) in owners {
        cluster
            .create(scheme::SECRETS, json!({"metadata": {"name": name, "ownerReferences": owner}}))
            .await;
    }
    let left = cluster.until_count(scheme::SECRETS, "", 2).await;
    assert!(left.iter().all(|secret| secret["metadata"]["name"] != "lost"));
}

struct Fixed;

impl TokenSigner for Fixed {
    fn sign(&self, claims: &serde_json::Value) -> Result<String, BoxError> {
        Ok(format!("ey-{}", claims["sub"].as_str().unwrap_or_default()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_comes_with_an_account_and_goes_with_all_it_has() {
    let settings =
        Settings { ca_pem: "PEM".into(), tokens: Some(Arc::new(Fixed)), ..Settings::default() };
    let all = [
        "namespace-controller",
        "serviceaccount-controller",
        "serviceaccount-token-controller",
        "root-ca-certificate-publisher-controller",
        "replicaset-controller",
    ];
    let cluster = Cluster::with_settings(&all, settings).await;
    cluster.until_count(scheme::SERVICEACCOUNTS, "", 1).await;
    cluster
        .until("authority", scheme::CONFIGMAPS, "", |all| {
            all.len() == 1 && all[0]["data"]["ca.crt"] == "PEM"
        })
        .await;
    let secret = json!({"metadata": {"name": "old", "annotations": {"kubernetes.io/service-account.name": "default"}}, "type": "kubernetes.io/service-account-token"});
    cluster.create(scheme::SECRETS, secret).await;
    cluster
        .until("token", scheme::SECRETS, "", |all| {
            all.len() == 1 && all[0]["data"]["token"].is_string()
        })
        .await;
    cluster.create(scheme::REPLICASETS, workload("rs", json!({"replicas": 5}))).await;
    cluster.until_count(scheme::PODS, "", 5).await;
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    cluster.until_count(scheme::NAMESPACES, "", 0).await;
    for resource in [
        scheme::PODS,
        scheme::REPLICASETS,
        scheme::SECRETS,
        scheme::SERVICEACCOUNTS,
        scheme::CONFIGMAPS,
    ] {
        assert!(cluster.list(resource.clone(), "").await.is_empty(), "{resource}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_waits_for_finalizers_and_says_so() {
    let cluster = Cluster::start(&["namespace-controller"]).await;
    cluster
        .create(scheme::CONFIGMAPS, json!({"metadata": {"name": "held", "finalizers": ["a.b/c"]}}))
        .await;
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    let says = |all: &[serde_json::Value]| {
        all[0]["status"]["conditions"]
            .as_array()
            .is_some_and(|all| all.iter().any(|c| c["reason"] == "SomeFinalizersRemain"))
    };
    cluster.until("conditions", scheme::NAMESPACES, "", says).await;
    cluster
        .patch(&key(scheme::CONFIGMAPS, "held"), json!({"metadata": {"finalizers": null}}))
        .await;
    cluster.until_count(scheme::NAMESPACES, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn owners_of_each_other_go_together() {
    let cluster = Cluster::start(&["garbage-collector-controller"]).await;
    let mut made = vec![];
    for name in ["a", "b", "c"] {
        made.push(cluster.create(scheme::CONFIGMAPS, json!({"metadata": {"name": name}})).await);
    }
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        let owner = &made[(at + 1) % 3]["metadata"];
        let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": owner["name"], "uid": owner["uid"], "blockOwnerDeletion": true});
        cluster
            .patch(
                &key(scheme::CONFIGMAPS, name),
                json!({"metadata": {"ownerReferences": [owner]}}),
            )
            .await;
    }
    let first = DeleteOptions {
        propagation_policy: Some(Propagation::Foreground),
        ..DeleteOptions::default()
    };
    cluster.delete(&key(scheme::CONFIGMAPS, "a"), first).await;
    cluster.until_count(scheme::CONFIGMAPS, "", 0).await;
}

fn widgets(name: &str) -> Key {
    Key::new(GroupVersionResource::new("example.com", "v1", "widgets"), NS, name)
}

async fn define_widgets(cluster: &Cluster) {
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    let definition = json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}});
    cluster.create(scheme::CUSTOMRESOURCEDEFINITIONS, definition).await;
    let served = |all: &[serde_json::Value]| {
        let conditions = all[0]["status"]["conditions"].as_array();
        conditions.is_some_and(|all| {
            all.iter().any(|one| one["type"] == "Established" && one["status"] == "True")
        })
    };
    cluster.until("served", scheme::CUSTOMRESOURCEDEFINITIONS, "", served).await;
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_starts_anew_knows_orphans_of_defined_kinds() {
    let cluster = Cluster::start(&[]).await;
    define_widgets(&cluster).await;
    let owner = cluster.create(scheme::CONFIGMAPS, json!({"metadata": {"name": "owner"}})).await;
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}]);
    for name in ["a", "b"] {
        let widget = json!({"apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": name, "ownerReferences": owner}});
        cluster.client.create_from(&widgets(""), &widget).await.unwrap();
    }
    cluster.delete(&key(scheme::CONFIGMAPS, "owner"), policy(Propagation::Orphan)).await;
    cluster.run(windlass_controllers::garbagecollector::component).await;
    cluster.until_count(scheme::CONFIGMAPS, "", 0).await;
    cluster.pass(60).await;
    for name in ["a", "b"] {
        let widget = cluster.client.get(&widgets(name)).await.expect("it stays");
        assert!(widget.header().owners.is_empty(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_definitions_add_goes_with_its_namespace() {
    let cluster = Cluster::start(&[]).await;
    define_widgets(&cluster).await;
    let widget =
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}});
    cluster.client.create_from(&widgets(""), &widget).await.unwrap();
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    cluster.run(windlass_controllers::namespace::component).await;
    cluster.until_count(scheme::NAMESPACES, "", 0).await;
    let left = cluster.client.get(&widgets("a")).await;
    assert!(left.is_err_and(|error| error.is_not_found()));
}

#[tokio::test(start_paused = true)]
async fn what_ends_one_by_one_is_not_looked_at_one_by_one() {
    let looks = Arc::new(AtomicUsize::new(0));
    let count = looks.clone();
    let fate = move |key: &Key| {
        count.fetch_add(usize::from(key.resource == scheme::NAMESPACES), Ordering::SeqCst);
        Fate::Done
    };
    let way = |server| Between::fails(server, fate);
    let cluster = Cluster::through(&["namespace-controller"], Settings::default(), way).await;
    let name = |number: usize| format!("m{number}");
    for number in 0..30 {
        let map = json!({"metadata": {"name": name(number), "finalizers": ["a.b/c"]}});
        cluster.create(scheme::CONFIGMAPS, map).await;
    }
    cluster.delete(&Key::cluster(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    cluster.until_deleting(scheme::CONFIGMAPS).await;
    for number in 0..30 {
        let free = json!({"metadata": {"finalizers": null}});
        cluster.patch(&key(scheme::CONFIGMAPS, &name(number)), free).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.until_count(scheme::NAMESPACES, "", 0).await;
    // Each look that finds something else is told.
    let looks = looks.load(Ordering::SeqCst);
    assert!(looks <= 6, "{looks}");
}
