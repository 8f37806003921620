//! Members that die, hang and come again.

use crate::cluster::{Cluster, dead_endpoint, next_keys, put};
use crate::writers::{Watchers, Writers};
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass_store::{Error, Etcd, EtcdOptions, KeyRange, Read, Watch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_leader_dies_and_a_member_comes_again() {
    const EACH: usize = 60;
    let mut cluster = Cluster::start(3).await;
    let (store, other) = (Arc::new(cluster.store().await), Arc::new(cluster.store().await));
    let watchers = Watchers::start(&[&store, &other]).await;
    let leader = cluster.leader().await;
    let mut writers = Writers::start(&store, EACH);
    writers.reached(100).await;
    cluster.kill(leader);
    writers.reached(200).await;
    cluster.start_member(leader);
    writers.reached(300).await;
    cluster.kill((leader + 1) % 3);
    writers.reached(350).await;
    cluster.start_member((leader + 1) % 3);
    let acknowledged = writers.finish().await;
    watchers.check(&store, &acknowledged, 8 * EACH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_member_is_killed_and_comes_again() {
    const EACH: usize = 40;
    let mut cluster = Cluster::start(1).await;
    let store = Arc::new(cluster.store().await);
    let watchers = Watchers::start(&[&store]).await;
    let mut writers = Writers::start(&store, EACH);
    for many in [80, 160, 240] {
        writers.reached(many).await;
        cluster.kill(0);
        cluster.start_member(0);
    }
    let acknowledged = writers.finish().await;
    watchers.check(&store, &acknowledged, 8 * EACH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_hangs_is_left() {
    const EACH: usize = 15;
    let cluster = Cluster::with(3, &["--grpc-keepalive-min-time", "500ms"]).await;
    let patient = EtcdOptions {
        deadline: Duration::from_secs(3),
        keep_alive: Duration::from_secs(1),
        keep_alive_timeout: Duration::from_secs(1),
        ..cluster.options()
    };
    let store = Arc::new(Etcd::connect(patient).await.unwrap());
    let watchers = Watchers::start(&[&store]).await;
    let mut writers = Writers::start(&store, EACH);
    writers.reached(40).await;
    cluster.freeze(cluster.leader().await);
    let acknowledged = writers.finish().await;
    watchers.check(&store, &acknowledged, 8 * EACH).await;
}

#[tokio::test]
async fn nobody_at_home_is_unavailable_in_time() {
    let mut cluster = Cluster::start(1).await;
    let deadline = Duration::from_millis(1500);
    let store = Etcd::connect(EtcdOptions { deadline, ..cluster.options() }).await.unwrap();
    put(&store, "a", "1").await.unwrap();
    cluster.kill(0);
    let start = Instant::now();
    let error = put(&store, "a", "2").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    let error = store.get(b"a", None).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(start.elapsed() < 3 * deadline, "{:?}", start.elapsed());
    let gone = EtcdOptions { deadline, ..EtcdOptions::new([dead_endpoint()]) };
    let error = Etcd::connect(gone).await.err().unwrap();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_dead_endpoint_among_several_does_no_harm() {
    let cluster = Cluster::start(1).await;
    let endpoints = [dead_endpoint(), cluster.endpoints().remove(0), dead_endpoint()];
    let store = Etcd::connect(EtcdOptions::new(endpoints)).await.unwrap();
    let mut stream = store.watch(KeyRange::all(), 1).await.unwrap();
    for i in 0..20 {
        let at = put(&store, "a", &i.to_string()).await.unwrap();
        assert_eq!(next_keys(&mut stream).await, (at, vec!["a".into()]));
        let found = store.get(b"a", None).await.unwrap().unwrap();
        assert_eq!(found.value, i.to_string());
    }
}
