//! Events go away by themselves.

use super::{ask, create, list, target, with_default};
use crate::handler::{Action, Content};
use crate::registry::Body;
use crate::server::ApiServer;
use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::client::WriteOptions;
use windlass_core::scheme;
use windlass_store::{Event, KeyRange, Lease, Memory, Read, Watch};

const TTL: Duration = Duration::from_secs(3600);

fn old(name: &str) -> Value {
    let about = json!({"kind": "Pod", "namespace": "default", "name": "a"});
    json!({"metadata": {"name": name}, "involvedObject": about, "reason": "Started", "type": "Normal"})
}

fn new(name: &str) -> Value {
    json!({"metadata": {"name": name}, "regarding": {"kind": "Pod", "namespace": "default", "name": "a"},
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "a/b",
        "reportingInstance": "a", "action": "Start", "reason": "Started", "type": "Normal"})
}

async fn server(ttl: Duration) -> (Arc<Memory>, Arc<ApiServer>) {
    let store = Arc::new(Memory::new());
    tokio::spawn(store.expiry());
    let server = ApiServer::builder().store(store.clone()).event_ttl(ttl);
    let server = server.build().await.expect("a server");
    with_default(&server).await;
    (store, server)
}

async fn names(server: &ApiServer) -> Vec<String> {
    let list = list(server, scheme::EVENTS).await;
    list.items.iter().map(|event| event.name().to_owned()).collect()
}

/// Events of both groups share a lease, live for their time from the last write, and watchers are told when they go.
#[tokio::test(start_paused = true)]
async fn events_live_for_an_hour() {
    let (store, server) = server(TTL).await;
    create(&server, scheme::EVENTS, "default", old("a")).await.expect("it is new");
    let v1 = scheme::EVENTS_K8S_IO_EVENTS;
    create(&server, v1, "default", new("b")).await.expect("it is new");
    let written = create(&server, scheme::EVENTS, "default", old("c")).await.expect("it is new");
    assert_eq!(store.leases().await.expect("it is open").len(), 1);
    tokio::time::sleep(TTL / 2).await;
    let mut again: Value = written.view().expect("JSON");
    again["count"] = json!(2);
    let update = Action::Update(Body::json(again.to_string().into()), WriteOptions::default());
    let one = target(scheme::EVENTS, "default", "c");
    assert!(matches!(ask(&server, one, update).await, Ok(Content::Object(_))));
    assert_eq!(store.leases().await.expect("it is open").len(), 2);
    let now = store.current_revision().await.expect("it is open");
    let mut watch = store.watch(KeyRange::all(), now).await.expect("a watch");
    tokio::time::sleep(TTL / 2 - Duration::from_secs(1)).await;
    assert_eq!(names(&server).await, ["a", "b", "c"]);
    let batch = watch.next().await.expect("it goes on").expect("no error");
    let gone = batch.events.iter().filter(|event| matches!(event, Event::Delete { .. }));
    assert_eq!(gone.count(), 2, "{batch:?}");
    assert_eq!(names(&server).await, ["c"]);
    tokio::time::sleep(TTL / 2 + Duration::from_secs(61)).await;
    assert_eq!(names(&server).await, [""; 0]);
    assert_eq!(store.leases().await.expect("it is open"), []);
}

/// A lease is shared for a minute, by a thousand at most; one that is gone is replaced.
#[tokio::test(start_paused = true)]
async fn events_share_leases() {
    let (store, server) = server(TTL).await;
    let leases = async || store.leases().await.expect("it is open").len();
    for i in 0..1001 {
        let event = old(&format!("event-{i}"));
        create(&server, scheme::EVENTS, "default", event).await.expect("it is new");
        assert_eq!(leases().await, i / 1000 + 1);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    create(&server, scheme::EVENTS, "default", old("later")).await.expect("it is new");
    assert_eq!(leases().await, 3);
    for id in store.leases().await.expect("it is open") {
        store.revoke(id).await.expect("it is there");
    }
    assert_eq!(names(&server).await, [""; 0]);
    let refused = create(&server, scheme::EVENTS, "default", old("late")).await;
    let retry =
        refused.expect_err("its lease is gone").details.and_then(|d| match d.retry_after_seconds {
            0 => None,
            seconds => Some(seconds),
        });
    assert_eq!(retry, Some(1));
    create(&server, scheme::EVENTS, "default", old("late")).await.expect("there is a new lease");
}

/// Without a time to live they stay.
#[tokio::test(start_paused = true)]
async fn events_may_live_for_ever() {
    let (store, server) = server(Duration::ZERO).await;
    create(&server, scheme::EVENTS, "default", old("a")).await.expect("it is new");
    tokio::time::sleep(100 * TTL).await;
    assert_eq!(names(&server).await, ["a"]);
    assert_eq!(store.leases().await.expect("it is open"), []);
}
