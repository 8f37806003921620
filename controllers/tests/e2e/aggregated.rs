//! Kinds of another server behind the API server.

use crate::between::{Between, Fate};
use crate::cluster::{Cluster, NS, key};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use windlass_controllers::Settings;
use windlass_core::Result;
use windlass_core::client::{Client, ClientExt, DeleteOptions, Discovery, Key, ListOptions, Scope};
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersion, GroupVersionResource, ResourceInfo};

/// The other server has ships in one version and nothing in another, and says so when it is up. Before that it knows no
/// path.
#[derive(Default)]
struct Ships(AtomicBool);

#[async_trait]
impl Discovery for Ships {
    async fn resources(&self, version: &GroupVersion) -> Result<Vec<Arc<ResourceInfo>>> {
        if !self.0.load(Ordering::SeqCst) {
            return Err(Status::not_found("", "", "a path").into());
        }
        if version.to_string() == "example.com/v2" {
            return Err(Status::not_found("", "", "example.com/v2").into());
        }
        assert!(["example.com/v1", "example.com/v1beta1"].contains(&&*version.to_string()));
        // Nobody can watch them.
        Ok(ships_that(version, &["create", "delete", "deletecollection", "get", "list"]))
    }
}

/// Another server says that it has ships, which can be followed.
struct Watched;

#[async_trait]
impl Discovery for Watched {
    async fn resources(&self, version: &GroupVersion) -> Result<Vec<Arc<ResourceInfo>>> {
        Ok(ships_that(version, &["delete", "get", "list", "watch"]))
    }
}

fn ships_that(version: &GroupVersion, verbs: &[&str]) -> Vec<Arc<ResourceInfo>> {
    let ships = json!({"name": "ships", "kind": "Ship", "namespaced": true, "verbs": verbs});
    let list = json!({"resources": [ships]}).to_string();
    scheme::read_resources(version, list.as_bytes()).unwrap()
}

/// A server with a ship in the namespace.
async fn harbour() -> Cluster {
    let cluster = Cluster::start(&[]).await;
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    let definition = json!({"metadata": {"name": "ships.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "ships", "singular": "ship", "kind": "Ship", "listKind": "ShipList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema},
            {"name": "v1beta1", "served": true, "storage": false, "schema": schema}]}});
    cluster.create(scheme::CUSTOMRESOURCEDEFINITIONS, definition).await;
    let served = |all: &[Value]| {
        let conditions = all[0]["status"]["conditions"].as_array();
        conditions.is_some_and(|all| {
            all.iter().any(|one| one["type"] == "Established" && one["status"] == "True")
        })
    };
    cluster.until("served", scheme::CUSTOMRESOURCEDEFINITIONS, "", served).await;
    let ship = json!({"apiVersion": "example.com/v1", "kind": "Ship", "metadata": {"name": "s"}});
    cluster.client.create_from(&Key::new(ships(), NS, ""), &ship).await.unwrap();
    cluster
}

fn ships() -> GroupVersionResource {
    GroupVersionResource::new("example.com", "v1", "ships")
}

/// Both versions of the other server, not available so far.
async fn register(cluster: &Cluster, versions: &[&str]) {
    for version in versions {
        let service = json!({"group": "example.com", "version": version, "groupPriorityMinimum": 1000,
            "versionPriority": 10, "service": {"namespace": "far", "name": "harbour"}});
        let name = format!("{version}.example.com");
        let service = json!({"metadata": {"name": name}, "spec": service});
        cluster.create(scheme::APISERVICES, service).await;
    }
}

async fn are_available(cluster: &Cluster, versions: &[&str]) {
    let available = json!([{"type": "Available", "status": "True"}]);
    for version in versions {
        let service = key(scheme::APISERVICES, &format!("{version}.example.com"));
        let status = json!({"status": {"conditions": available}});
        cluster.patch(&service.subresource("status"), status).await;
    }
}

/// The one namespace that goes waits for this reason.
fn says(reason: &str) -> impl Fn(&[Value]) -> bool {
    move |all| {
        let conditions = all[0]["status"]["conditions"].as_array();
        conditions.is_some_and(|all| all.iter().any(|one| one["reason"] == reason))
    }
}

#[tokio::test(start_paused = true)]
async fn objects_that_are_not_found_are_gone_if_their_server_is_available() {
    let settings =
        Settings { discovery: Some(Arc::new(Ships(true.into()))), ..Settings::default() };
    // Who is asked for ships knows none.
    let cluster = Cluster::with_settings(&["namespace-controller"], settings).await;
    register(&cluster, &["v1", "v2"]).await;
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    let waits = says("ContentDeletionFailed");
    cluster.until("there may be some", scheme::NAMESPACES, "", waits).await;
    are_available(&cluster, &["v1", "v2"]).await;
    cluster.until_count(scheme::NAMESPACES, "", 0).await;
}

/// A server before another one that has the ships.
async fn before(controller: &str, far: Arc<dyn Client>, settings: Settings) -> Cluster {
    Cluster::through(&[controller], settings, |server| {
        let fate = Box::new(|_: &Key| Fate::Done);
        let listed = Box::new(|_: &Scope| ());
        Arc::new(Between { server, behind: Some(("example.com", far)), fate, listed })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn what_is_served_in_two_versions_is_counted_once() {
    let harbour = harbour().await;
    let held = json!({"metadata": {"finalizers": ["example.com/anchor"]}});
    harbour.patch(&Key::new(ships(), NS, "s"), held).await;
    let settings =
        Settings { discovery: Some(Arc::new(Ships(true.into()))), ..Settings::default() };
    let cluster = before("namespace-controller", harbour.client.clone(), settings).await;
    register(&cluster, &["v1", "v1beta1"]).await;
    are_available(&cluster, &["v1", "v1beta1"]).await;
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    let waits = says("SomeFinalizersRemain");
    let all = cluster.until("it is held", scheme::NAMESPACES, "", waits).await;
    let conditions = all[0]["status"]["conditions"].as_array().unwrap();
    let told = conditions.iter().find(|one| one["reason"] == "SomeFinalizersRemain").unwrap();
    let told = told["message"].as_str().unwrap();
    assert!(told.ends_with("example.com/anchor in 1 resource instances"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn what_another_server_has_goes_with_its_namespace() {
    let harbour = harbour().await;
    let (far, answers) = (harbour.client.clone(), Arc::new(Ships::default()));
    let settings = Settings { discovery: Some(answers.clone()), ..Settings::default() };
    let cluster = before("namespace-controller", far, settings).await;
    register(&cluster, &["v1", "v2"]).await;
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    cluster.until("there may be more", scheme::NAMESPACES, "", says("DiscoveryFailed")).await;
    answers.0.store(true, Ordering::SeqCst);
    are_available(&cluster, &["v1", "v2"]).await;
    cluster.until_count(scheme::NAMESPACES, "", 0).await;
    let scope = Scope::namespace(ships(), NS);
    let left = harbour.client.list(&scope, &ListOptions::default()).await.unwrap();
    assert!(left.items.is_empty(), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn an_owner_is_not_gone_because_its_server_knows_no_path() {
    // Who is asked for ships knows none.
    let far = Cluster::start(&[]).await;
    let settings = Settings { discovery: Some(Arc::new(Watched)), ..Settings::default() };
    let cluster = before("garbage-collector-controller", far.client.clone(), settings).await;
    register(&cluster, &["v1"]).await;
    are_available(&cluster, &["v1"]).await;
    cluster.pass(30).await;
    let owner = json!({"apiVersion": "example.com/v1", "kind": "Ship", "name": "s", "uid": "u"});
    let cargo = json!({"metadata": {"name": "cargo", "ownerReferences": [owner]}});
    cluster.create(scheme::CONFIGMAPS, cargo).await;
    cluster.pass(120).await;
    assert_eq!(cluster.list(scheme::CONFIGMAPS, "").await.len(), 1, "nobody knows of its owner");
}
