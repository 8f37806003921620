//! Kinds of another server behind the API server.

use crate::between::{Between, Fate};
use crate::cluster::{Cluster, NS, key};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use windlass_controllers::Settings;
use windlass_core::Result;
use windlass_core::client::{ClientExt, DeleteOptions, Discovery, Key, ListOptions, Scope};
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
        assert_eq!(version.to_string(), "example.com/v1");
        // Nobody can watch them.
        let verbs = json!(["create", "delete", "deletecollection", "get", "list"]);
        let ships = json!({"name": "ships", "kind": "Ship", "namespaced": true, "verbs": verbs});
        let list = json!({"resources": [ships]}).to_string();
        Ok(scheme::read_resources(version, list.as_bytes()).unwrap())
    }
}

/// A server with a ship in the namespace.
async fn harbour() -> Cluster {
    let cluster = Cluster::start(&[]).await;
    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    let definition = json!({"metadata": {"name": "ships.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "ships", "singular": "ship", "kind": "Ship", "listKind": "ShipList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}});
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
async fn register(cluster: &Cluster) {
    for version in ["v1", "v2"] {
        let service = json!({"group": "example.com", "version": version, "groupPriorityMinimum": 1000,
            "versionPriority": 10, "service": {"namespace": "far", "name": "harbour"}});
        let name = format!("{version}.example.com");
        let service = json!({"metadata": {"name": name}, "spec": service});
        cluster.create(scheme::APISERVICES, service).await;
    }
}

async fn are_available(cluster: &Cluster) {
    let available = json!([{"type": "Available", "status": "True"}]);
    for version in ["v1", "v2"] {
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
    register(&cluster).await;
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    let waits = says("ContentDeletionFailed");
    cluster.until("there may be some", scheme::NAMESPACES, "", waits).await;
    are_available(&cluster).await;
    cluster.until_count(scheme::NAMESPACES, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_another_server_has_goes_with_its_namespace() {
    let harbour = harbour().await;
    let (far, answers) = (harbour.client.clone(), Arc::new(Ships::default()));
    let settings = Settings { discovery: Some(answers.clone()), ..Settings::default() };
    let cluster = Cluster::through(&["namespace-controller"], settings, |server| {
        let fate = Box::new(|_: &Key| Fate::Done);
        let listed = Box::new(|_: &Scope| ());
        Arc::new(Between { server, behind: Some(("example.com", far)), fate, listed })
    })
    .await;
    register(&cluster).await;
    cluster.delete(&key(scheme::NAMESPACES, NS), DeleteOptions::default()).await;
    cluster.until("there may be more", scheme::NAMESPACES, "", says("DiscoveryFailed")).await;
    answers.0.store(true, Ordering::SeqCst);
    are_available(&cluster).await;
    cluster.until_count(scheme::NAMESPACES, "", 0).await;
    let scope = Scope::namespace(ships(), NS);
    let left = harbour.client.list(&scope, &ListOptions::default()).await.unwrap();
    assert!(left.items.is_empty(), "{left:?}");
}
