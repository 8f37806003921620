mod script;

use super::*;
use crate::client::{ListOptions, Scope, WatchBatch, WatchEvent};
use crate::component::Shutdown;
use crate::meta::{Reason, Status};
use crate::object::Object;
use crate::scheme;
use parking_lot::Mutex;
use script::{Answer, Script};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn pod(name: &str, uid: &str, version: u64) -> Arc<Object> {
    let metadata =
        json!({"name": name, "namespace": "d", "uid": uid, "resourceVersion": version.to_string()});
    let json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}).to_string();
    Arc::new(Object::from_wire(json.into()).expect("an object"))
}

fn informer() -> (Arc<Informer<HeaderOnly>>, Arc<Mutex<Vec<String>>>) {
    let informer = Arc::new(Informer::new(Scope::all(scheme::PODS), ListOptions::default()));
    let told = Arc::new(Mutex::new(Vec::new()));
    let (notes, seen) = (told.clone(), Arc::downgrade(&informer));
    informer.on_change(move |change: &Change<HeaderOnly>| {
        let (object, kind) = (
            change.object(),
            match change {
                Change::Added(_) => "+",
                Change::Updated { .. } => "~",
                Change::Deleted(_) => "-",
            },
        );
        let reached = seen.upgrade().expect("alive").resource_version();
        assert!(reached == 0 || reached >= object.resource_version());
        notes.lock().push(format!("{kind}{}", object.header().uid));
    });
    (informer, told)
}

#[test]
fn a_relist_tells_what_was_missed_and_nothing_else() {
    let (informer, told) = informer();
    informer.replace(vec![
        pod("a", "a1", 1),
        pod("b", "b1", 2),
        pod("c", "c1", 3),
        pod("d", "d1", 4),
    ]);
    assert_eq!(std::mem::take(&mut *told.lock()), ["+a1", "+b1", "+c1", "+d1"]);
    informer.replace(vec![pod("a", "a1", 1), pod("b", "b1", 7), pod("c", "c2", 8)]);
    assert_eq!(std::mem::take(&mut *told.lock()), ["-d1", "~b1", "-c1", "+c2"]);
    assert_eq!(informer.len(), 3);
}

#[test]
fn a_name_that_passes_to_another_object_is_no_update() {
    let (informer, told) = informer();
    let batch: WatchBatch =
        [WatchEvent::Added(pod("a", "a1", 1)), WatchEvent::Added(pod("a", "a2", 5))]
            .into_iter()
            .collect();
    informer.apply(batch);
    assert_eq!(*told.lock(), ["+a1", "-a1", "+a2"]);
    assert_eq!(informer.resource_version(), 5);
}

fn refusal(reason: Reason) -> Answer {
    Answer::Fails(Status::failure(reason, "no").into())
}

async fn played(script: Vec<Answer>, time: Duration) -> (Vec<String>, Vec<String>) {
    let (client, shutdown) = (Arc::new(Script::new(script)), Shutdown::new());
    let (informer, told) = informer();
    let (running, stop) = (client.clone(), shutdown.clone());
    let task = tokio::spawn(async move { informer.run(running, stop).await });
    tokio::time::sleep(time).await;
    shutdown.cancel();
    task.await.expect("no panic");
    (client.asked(), told.lock().clone())
}

#[tokio::test(start_paused = true)]
async fn a_reflector_goes_on_where_it_was_when_it_can() {
    let lost = || Answer::Fails(crate::Error::Transport("reset".into()));
    let script = vec![
        Answer::List(5, vec![pod("a", "a1", 5)]),
        Answer::Watch(vec![WatchEvent::Added(pod("b", "b1", 6))]),
        lost(),
        refusal(Reason::TooManyRequests),
        Answer::Watch(vec![WatchEvent::Deleted(pod("b", "b1", 9))]),
    ];
    let (asked, told) = played(script, Duration::from_secs(20)).await;
    assert_eq!(asked[..5], ["list", "watch 5", "watch 6", "watch 6", "watch 6"]);
    assert_eq!(told, ["+a1", "+b1", "-b1"]);
}

#[tokio::test(start_paused = true)]
async fn a_reflector_lists_again_when_its_version_is_gone_or_unheard_of() {
    for reason in [Reason::Expired, Reason::Gone, Reason::Timeout] {
        let script = vec![
            Answer::List(500, vec![pod("a", "a1", 5)]),
            refusal(reason),
            Answer::List(20, vec![pod("a", "a2", 20)]),
        ];
        let (asked, told) = played(script, Duration::from_secs(5)).await;
        assert_eq!(asked[..4], ["list", "watch 500", "list", "watch 20"]);
        assert_eq!(told, ["+a1", "-a1", "+a2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_always_says_expired_is_not_asked_all_the_time() {
    let script =
        (0..200).flat_map(|_| [Answer::List(5, vec![]), refusal(Reason::Expired)]).collect();
    let (asked, _) = played(script, Duration::from_secs(60)).await;
    assert!((8..30).contains(&asked.len()), "{} requests in a minute", asked.len());
}
