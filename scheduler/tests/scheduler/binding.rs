//! How pods are bound, also where the way to the server is bad.

use crate::cluster::{Cluster, DEADLINE};
use crate::tricky::{Fate, Tricky};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::client::{Client, ClientExt, Key};
use windlass_core::clock::Env;
use windlass_core::component::Shutdown;
use windlass_core::scheme;
use windlass_scheduler::PodInfo;
use windlass_scheduler::framework::{Bind, Placement};
use windlass_scheduler::plugins::DefaultBinder;

fn placement(pod: &Value) -> Placement {
    let object = windlass_core::Object::from_wire(pod.to_string().into()).expect("an object");
    let pod = Arc::new(PodInfo::new(&object).expect("a pod"));
    Placement { pod, node: "a".into(), id: 0 }
}

/// Binds twenty pods at the same time, one of which is not who it was thought to be. Says at how many versions.
async fn bind_twenty(server: Arc<ApiServer>, refused: Option<usize>) -> usize {
    let client: Arc<dyn Client> = Arc::new(LocalClient::new(server, User::admin()));
    let cluster = Cluster { client: client.clone(), shutdown: Shutdown::new() };
    cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": "ns"}})).await;
    let mut placements = Vec::new();
    for n in 0..20 {
        let pod = json!({"metadata": {"generateName": "p-"},
            "spec": {"containers": [{"name": "c", "image": "i"}]}});
        let mut pod = cluster.create(scheme::PODS, pod).await;
        if refused == Some(n) {
            pod["metadata"]["uid"] = "another".into();
        }
        placements.push(placement(&pod));
    }
    let binder = DefaultBinder::new(client.clone());
    let bound = join_all(placements.iter().map(|placement| binder.bind(placement))).await;
    let mut versions = BTreeSet::new();
    for (n, (bound, placement)) in bound.iter().zip(&placements).enumerate() {
        assert_eq!(bound.is_err(), refused == Some(n), "{bound:?}");
        let key = Key::new(scheme::PODS, "ns", &*placement.pod.name);
        let pod: Value = client.get_as(&key).await.expect("it is there");
        assert_eq!(pod["spec"]["nodeName"] == "a", bound.is_ok());
        versions.insert(pod["metadata"]["resourceVersion"].to_string());
    }
    versions.len()
}

#[tokio::test(start_paused = true)]
async fn pods_are_bound_together_where_the_server_can() {
    let server = || ApiServer::builder().env(Env::simulated(7));
    let (with, without) = (server().transactions().build().await, server().build().await);
    assert_eq!(bind_twenty(with.expect("a server"), None).await, 1);
    assert_eq!(bind_twenty(without.expect("a server"), None).await, 20);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_bound_does_not_keep_the_others() {
    let server = ApiServer::builder().env(Env::simulated(7)).transactions().build().await;
    bind_twenty(server.expect("a server"), Some(7)).await;
}

#[tokio::test(start_paused = true)]
async fn pods_that_were_bound_are_bound_also_when_the_answer_gets_lost() {
    let server = ApiServer::builder().env(Env::simulated(7)).transactions().build().await;
    let client: Arc<dyn Client> =
        Arc::new(LocalClient::new(server.expect("a server"), User::admin()));
    let cluster = Cluster { client: client.clone(), shutdown: Shutdown::new() };
    cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": "ns"}})).await;
    let mut placements = Vec::new();
    for name in ["p", "q"] {
        let spec = json!({"containers": [{"name": "c", "image": "i"}]});
        let pod = json!({"metadata": {"name": name}, "spec": spec});
        placements.push(placement(&cluster.create(scheme::PODS, pod).await));
    }
    let binder = DefaultBinder::new(Arc::new(Tricky::new(client, |_| Fate::AnswerLost)));
    for bound in join_all(placements.iter().map(|placement| binder.bind(placement))).await {
        bound.expect("it is on its node");
    }
    placements[0].node = "b".into();
    assert!(binder.bind(&placements[0]).await.is_err(), "it is on another node");
}

fn binds(key: &Key) -> bool {
    key.resource == scheme::TRANSACTIONS || key.subresource.as_deref() == Some("binding")
}

const SLOW: Duration = Duration::from_secs(20);

#[tokio::test(start_paused = true)]
async fn a_slow_binding_keeps_no_other_pod_from_its_node() {
    let (count, first) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let told = first.clone();
    let fate = move |key: &Key| match binds(key) && count.fetch_add(1, Ordering::Relaxed) == 0 {
        true => {
            told.notify_one();
            Fate::Late(SLOW)
        }
        false => Fate::Done,
    };
    let cluster = Cluster::start_over(|client| Arc::new(Tricky::new(client, fate))).await;
    cluster.add_node("a", "8").await;
    cluster.add_pod("slow", json!({})).await;
    let begun = Instant::now();
    tokio::time::timeout(DEADLINE, first.notified()).await.expect("it is being bound");
    for name in ["p", "q", "r"] {
        cluster.add_pod(name, json!({})).await;
        cluster.bound(name).await;
    }
    assert!(begun.elapsed() < SLOW / 4, "{:?}", begun.elapsed());
    cluster.bound("slow").await;
    assert!(begun.elapsed() >= SLOW - Duration::from_secs(1), "it was slow");
}

#[tokio::test(start_paused = true)]
async fn cycles_go_on_while_all_bindings_are_slow() {
    let fate = |key: &Key| if binds(key) { Fate::Late(SLOW) } else { Fate::Done };
    let cluster = Cluster::start_over(|client| Arc::new(Tricky::new(client, fate))).await;
    cluster.add_node("a", "100").await;
    for n in 0..100 {
        cluster.add_pod(&format!("p{n}"), json!({})).await;
    }
    let begun = Instant::now();
    cluster.add_pod("late", json!({})).await;
    cluster.refused("late").await;
    assert!(begun.elapsed() < SLOW / 4, "{:?}", begun.elapsed());
    cluster.bound("p99").await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_has_another_turn_when_what_is_said_about_it_breaks_off() {
    let count = AtomicUsize::new(0);
    let fate = move |key: &Key| {
        let about_pod =
            key.resource == scheme::PODS && key.subresource.as_deref() == Some("status");
        match about_pod && count.fetch_add(1, Ordering::Relaxed) == 0 {
            true => Fate::Panic,
            false => Fate::Done,
        }
    };
    let cluster = Cluster::start_over(|client| Arc::new(Tricky::new(client, fate))).await;
    cluster.add_node("a", "1").await;
    cluster.add_pod("low", json!({"terminationGracePeriodSeconds": 0})).await;
    cluster.bound("low").await;
    cluster.add_pod("high", json!({"priority": 10})).await;
    assert_eq!(cluster.bound("high").await, "a");
}
