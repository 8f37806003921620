use super::super::*;
use crate::Object;
use crate::cache::{HeaderOnly, Informer, Sink};
use crate::client::{ListOptions, Scope, WatchEvent};
use crate::scheme::{GroupVersionKind, PODS};
use serde_json::{Value, json};

const SET: GroupVersionKind = GroupVersionKind::new("apps", "v1", "ReplicaSet");

fn informer() -> Informer<HeaderOnly> {
    Informer::new(Scope::all(PODS), ListOptions::default())
}

fn pod(version: u64, owner: Option<&str>, generation: i64) -> Arc<Object> {
    let owners: Vec<Value> = owner
        .map(|name| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": name, "controller": true}))
        .into_iter()
        .collect();
    let metadata = json!({"name": "p", "namespace": "ns", "uid": "u", "ownerReferences": owners,
        "resourceVersion": version.to_string(), "generation": generation});
    Arc::new(
        Object::from_wire(json!({"metadata": metadata}).to_string().into()).expect("an object"),
    )
}

fn modified(pods: &Informer<HeaderOnly>, pod: Arc<Object>) {
    pods.apply([WatchEvent::Modified(pod)].into_iter().collect());
}

async fn next(queue: &Arc<WorkQueue<ObjectKey>>) -> Option<String> {
    if queue.is_empty() {
        return None;
    }
    let key = queue.next().await?;
    queue.done(&key);
    Some(key.to_string())
}

#[tokio::test(start_paused = true)]
async fn an_owner_hears_of_what_it_gets_and_of_what_it_lost() {
    let (pods, queue) = (informer(), Arc::new(WorkQueue::default()));
    enqueue(&pods, &queue, predicate::any, map::controller(SET));
    pods.replace(vec![pod(1, None, 1)]);
    assert_eq!(next(&queue).await, None);
    modified(&pods, pod(2, Some("a"), 1));
    assert_eq!(next(&queue).await.as_deref(), Some("ns/a"));
    modified(&pods, pod(3, Some("b"), 1));
    assert_eq!(next(&queue).await.as_deref(), Some("ns/a"));
    assert_eq!(next(&queue).await.as_deref(), Some("ns/b"));
    assert_eq!(next(&queue).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_predicate_keeps_changes_away() {
    let (pods, queue) = (informer(), Arc::new(WorkQueue::default()));
    let when = predicate::either(predicate::generation_changed, predicate::labels_changed);
    enqueue(&pods, &queue, when, map::itself);
    pods.replace(vec![pod(1, None, 1)]);
    assert_eq!(next(&queue).await.as_deref(), Some("ns/p"));
    modified(&pods, pod(2, Some("a"), 1));
    assert_eq!(next(&queue).await, None);
    modified(&pods, pod(3, None, 2));
    assert_eq!(next(&queue).await.as_deref(), Some("ns/p"));
}

#[tokio::test(start_paused = true)]
async fn an_index_leads_from_what_is_used_to_its_users() {
    let (used, users, queue) = (informer(), Arc::new(informer()), Arc::new(WorkQueue::default()));
    let owner = |user: &crate::cache::Entry<HeaderOnly>| {
        user.object.header().controller().map(|owner| owner.name.to_string()).into_iter().collect()
    };
    users.add_index("uses", owner);
    let named = |entry: &crate::cache::Entry<HeaderOnly>| vec![entry.object.name().to_owned()];
    enqueue(&used, &queue, predicate::any, map::index(users.clone(), "uses", named));
    users.replace(vec![pod(1, Some("p"), 1)]);
    used.replace(vec![pod(2, None, 1)]);
    assert_eq!(next(&queue).await.as_deref(), Some("ns/p"));
}
