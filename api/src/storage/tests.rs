//! What all storage keeps to, and what only the cache does.

use super::*;
use async_trait::async_trait;
use futures::StreamExt;
use serde_json::json;
use std::borrow::Cow;
use std::time::Duration;
use tokio::sync::Semaphore;
use windlass_core::component::Shutdown;
use windlass_core::meta::{FieldSelector, LabelSelector, Reason};
use windlass_core::object::canonical;
use windlass_core::scheme;
use windlass_store::{
    Backend, Batch, Commit, Compact, KeyRange, KeyValue, Leased, Limits, Memory, Op, Precondition,
    RangeResult, Read, Watch,
};

/// Selects by `spec.nodeName`.
struct Nodes;

impl Fields for Nodes {
    fn field(&self, object: &Object, name: &str) -> Option<Cow<'static, str>> {
        let value: serde_json::Value = object.view().expect("JSON");
        (name == "spec.nodeName")
            .then(|| value["spec"]["nodeName"].as_str().unwrap_or_default().to_owned().into())
    }
}

fn pods() -> Arc<Resource> {
    Arc::new(Resource::new(scheme::PODS, Some("spec.nodeName"), Arc::new(Nodes)))
}

/// A store with its cache, or without.
struct World {
    pods: Arc<Resource>,
    storage: Arc<dyn Storage>,
    backend: Arc<dyn Backend>,
    shutdown: Shutdown,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl World {
    fn plain() -> Self {
        let backend: Arc<dyn Backend> = Arc::new(Memory::new());
        let storage = Arc::new(Kv::new(backend.clone()));
        Self { pods: pods(), storage, backend, shutdown: Shutdown::new() }
    }

    async fn cached() -> Self {
        Self::over(Arc::new(Memory::new())).await
    }

    async fn over(backend: Arc<dyn Backend>) -> Self {
        let shutdown = Shutdown::new();
        let storage = Cacher::start(backend.clone(), shutdown.clone()).await.expect("it starts");
        Self { pods: pods(), storage: Arc::new(storage), backend, shutdown }
    }

    async fn both() -> [Self; 2] {
        [Self::plain(), Self::cached().await]
    }

    fn key(&self, name: &str) -> Bytes {
        self.pods.key(Some("default"), name)
    }

    /// Writes a pod on a node; the label `node` says so too.
    async fn put(&self, name: &str, node: &str) -> Revision {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"nodeName": node},
            "metadata": {"name": name, "namespace": "default", "labels": {"node": node}}});
        let serde_json::Value::Object(pod) = pod else { panic!("an object") };
        let txn = Txn::new().put(self.key(name), canonical(pod));
        self.storage.commit(txn).await.expect("committed").revision
    }

    async fn delete(&self, name: &str) -> Revision {
        let txn = Txn::new().delete(self.key(name));
        self.storage.commit(txn).await.expect("committed").revision
    }

    async fn list(&self, selection: Selection, at: ReadVersion) -> Result<Page, Status> {
        let resource = self.pods.clone();
        self.storage.list(&ListQuery { resource, selection, at, limit: 0, start: None }).await
    }

    async fn watch(&self, selection: Selection, from: WatchFrom) -> Result<EventStream, Status> {
        let resource = self.pods.clone();
        self.storage.watch(WatchQuery { resource, selection, from, bookmarks: true }).await
    }
}

fn names(page: &Page) -> String {
    page.items.iter().map(|object| object.name()).collect::<Vec<_>>().join(" ")
}

fn on(node: &str) -> Selection {
    let fields = FieldSelector::equal("spec.nodeName", node);
    Selection { namespace: Some("default".into()), fields, ..Selection::default() }
}

fn labelled(text: &str) -> Selection {
    let labels = LabelSelector::parse(text).expect("a selector");
    Selection { labels, ..Selection::default() }
}

/// The next events: kind and name, or `|` for a bookmark.
async fn next(stream: &mut EventStream, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let batch = stream.next().await.expect("it goes on").expect("no error");
        seen.extend(batch.iter().map(|event| match event {
            Event::Change(kind, change) => {
                assert_eq!(change.object(*kind).resource_version(), change.revision);
                format!("{} {}", kind.as_str(), change.object(*kind).name())
            }
            Event::Initial(object) => format!("ADDED {}", object.name()),
            Event::Bookmark { .. } => "|".to_owned(),
        }));
    }
    seen
}

#[tokio::test]
async fn what_was_written_is_read_at_once() {
    for world in World::both().await {
        for n in 0..50 {
            let name = format!("p{n}");
            let revision = world.put(&name, "a").await;
            let key = world.key(&name);
            let read = world.storage.get(&world.pods, &key, ReadVersion::Newest).await;
            let read = read.expect("readable").expect("there");
            assert_eq!(read.resource_version(), revision);
            let page = world.list(Selection::default(), ReadVersion::Newest).await.expect("a list");
            assert_eq!(page.items.len(), n + 1);
            assert_eq!(page.revision, revision);
        }
    }
}

#[tokio::test]
async fn selections_take_labels_fields_and_namespaces() {
    for world in World::both().await {
        for (name, node) in [("a", "x"), ("b", "y"), ("c", "x")] {
            world.put(name, node).await;
        }
        let newest = ReadVersion::Newest;
        assert_eq!(names(&world.list(on("x"), newest).await.expect("a list")), "a c");
        assert_eq!(names(&world.list(labelled("node=y"), newest).await.expect("a list")), "b");
        let elsewhere = Selection { namespace: Some("other".into()), ..Selection::default() };
        assert!(world.list(elsewhere, newest).await.expect("a list").items.is_empty());
    }
}

#[tokio::test]
async fn pages_are_of_one_version() {
    for world in World::both().await {
        for name in ["a", "b", "c", "d", "e"] {
            world.put(name, "x").await;
        }
        for selection in [Selection::default(), labelled("node=x"), on("x")] {
            let mut query = ListQuery {
                resource: world.pods.clone(),
                selection,
                at: ReadVersion::Newest,
                limit: 2,
                start: None,
            };
            let first = world.storage.list(&query).await.expect("a page");
            world.delete("c").await;
            (query.at, query.start) = (ReadVersion::Exact(first.revision), first.next.clone());
            let second = world.storage.list(&query).await.expect("a page");
            query.start = second.next.clone();
            let third = world.storage.list(&query).await.expect("a page");
            let all = [&first, &second, &third].map(names).join(" ");
            assert_eq!(all, "a b c d e");
            assert!(third.next.is_none());
            world.put("c", "x").await;
        }
    }
}

#[tokio::test]
async fn pages_come_from_the_cache_while_nothing_has_changed() {
    let world = World::cached().await;
    for name in ["a", "b", "c", "d", "e"] {
        world.put(name, "x").await;
    }
    world.delete("e").await;
    let elsewhere = world.pods.key(Some("zoo"), "z");
    let txn = Txn::new().put(elsewhere, canonical(serde_json::Map::new()));
    world.storage.commit(txn).await.expect("committed");
    let store = Kv::new(world.backend.clone());
    let default = Selection { namespace: Some("default".into()), ..Selection::default() };
    for (selection, remaining) in
        [(Selection::default(), [Some(3), Some(1), None]), (default, [Some(2), None, None])]
    {
        let (resource, at) = (world.pods.clone(), ReadVersion::Newest);
        let mut query = ListQuery { resource, selection, at, limit: 2, start: None };
        for left in remaining {
            let page = world.storage.list(&query).await.expect("a page");
            assert_eq!(page.remaining, left);
            let stored = store.list(&query).await.expect("a page");
            assert_eq!((names(&page), page.remaining), (names(&stored), stored.remaining));
            for object in page.items.iter().filter(|object| object.namespace() == "default") {
                let key = world.key(object.name());
                let kept = world.storage.get(&world.pods, &key, ReadVersion::Any).await;
                assert!(Arc::ptr_eq(object, &kept.expect("readable").expect("there")));
            }
            query.at = ReadVersion::Exact(page.revision);
            let Some(next) = page.next else { break };
            query.start = Some(next);
        }
    }
}

#[tokio::test]
async fn a_watch_follows_a_selection() {
    for world in World::both().await {
        let start = world.put("old", "x").await;
        let from = WatchFrom::After(start);
        // Loaded before, so that the past is known.
        world.list(Selection::default(), ReadVersion::Any).await.expect("a list");
        let mut live = world.watch(on("x"), from).await.expect("a watch");
        world.put("a", "x").await;
        world.put("a", "x").await;
        world.put("b", "y").await;
        world.put("a", "y").await;
        world.put("a", "x").await;
        world.delete("a").await;
        let expected = ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a"];
        assert_eq!(next(&mut live, 5).await, expected);
        let mut replayed = world.watch(on("x"), from).await.expect("a watch");
        assert_eq!(next(&mut replayed, 5).await, expected);
    }
}

#[tokio::test]
async fn initial_events_end_with_a_mark() {
    for world in World::both().await {
        world.put("a", "x").await;
        let from = WatchFrom::Objects { at: ReadVersion::Newest, mark_end: true };
        let mut stream = world.watch(Selection::default(), from).await.expect("a watch");
        world.put("b", "x").await;
        assert_eq!(next(&mut stream, 3).await, ["ADDED a", "|", "ADDED b"]);
    }
}

#[tokio::test]
async fn versions_before_the_cache_are_gone() {
    let world = World::cached().await;
    world.put("a", "x").await;
    let from = WatchFrom::After(1);
    let refused = world.watch(Selection::default(), from).await.map(drop).expect_err("too old");
    assert_eq!(refused.reason, Reason::Expired);
    assert_eq!(refused.message, "too old resource version: 1 (2)");
}

#[tokio::test(start_paused = true)]
async fn versions_of_the_future_time_out() {
    let world = World::cached().await;
    world.put("a", "x").await;
    let at = ReadVersion::NotOlderThan(99);
    let refused = world.list(Selection::default(), at).await.expect_err("not there yet");
    assert_eq!(refused.reason, Reason::Timeout);
    let cause = &refused.details.expect("details").causes[0];
    assert_eq!(cause.reason, "ResourceVersionTooLarge");
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.put("b", "x").await
    };
    let at = ReadVersion::NotOlderThan(3);
    let (page, revision) = tokio::join!(world.list(Selection::default(), at), later);
    assert_eq!((names(&page.expect("it came")).as_str(), revision), ("a b", 3));
}

#[tokio::test]
async fn a_slow_watcher_is_cut_off_and_others_are_not() {
    let world = World::cached().await;
    let start = world.put("a", "x").await;
    world.list(Selection::default(), ReadVersion::Newest).await.expect("a list");
    let slow = world.watch(Selection::default(), WatchFrom::After(start)).await.expect("a watch");
    let mut quick = world.watch(on("y"), WatchFrom::After(start)).await.expect("a watch");
    for _ in 0..5000 {
        world.put("a", "x").await;
        tokio::task::yield_now().await;
    }
    world.put("b", "y").await;
    assert_eq!(next(&mut quick, 1).await, ["ADDED b"]);
    let seen: usize =
        slow.map(|batch| batch.expect("no error").len()).collect::<Vec<_>>().await.iter().sum();
    assert!((1..5000).contains(&seen), "its stream ended after {seen} events");
}

#[tokio::test(start_paused = true)]
async fn watchers_hear_how_far_everything_came() {
    let world = World::cached().await;
    world.put("a", "x").await;
    let from = WatchFrom::Objects { at: ReadVersion::Newest, mark_end: false };
    let mut stream = world.watch(on("nowhere"), from).await.expect("a watch");
    let last = world.put("b", "x").await;
    let batch = stream.next().await.expect("it goes on").expect("no error");
    let Event::Bookmark { revision, initial_events_end: false } = batch[0] else {
        panic!("a bookmark");
    };
    assert_eq!(revision, last);
}

#[tokio::test(start_paused = true)]
async fn old_history_is_compacted() {
    let world = World::cached().await;
    let old = world.put("a", "x").await;
    world.put("a", "y").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let at = ReadVersion::Exact(old);
    assert_eq!(world.list(on("x"), at).await.expect("it is remembered").items.len(), 1);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let refused = world.list(on("x"), at).await.expect_err("it is forgotten");
    assert_eq!(refused.reason, Reason::Expired);
}

/// A store whose watches break off when told to.
struct Fragile {
    memory: Memory,
    broken: tokio::sync::watch::Sender<u32>,
    /// What was read leaves only with a permit.
    answers: Arc<Semaphore>,
}

#[async_trait]
impl Read for Fragile {
    async fn current_revision(&self) -> windlass_store::Result<Revision> {
        self.memory.current_revision().await
    }

    async fn get(
        &self,
        key: &[u8],
        at: Option<Revision>,
    ) -> windlass_store::Result<Option<KeyValue>> {
        self.memory.get(key, at).await
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> windlass_store::Result<RangeResult> {
        let found = self.memory.range(range, limit, at).await;
        self.answers.acquire().await.expect("it is never closed").forget();
        found
    }
}

#[async_trait]
impl Commit for Fragile {
    async fn commit(&self, txn: Txn) -> windlass_store::Result<Committed> {
        self.memory.commit(txn).await
    }
}

#[async_trait]
impl Watch for Fragile {
    async fn watch(
        &self,
        range: KeyRange,
        after: Revision,
    ) -> windlass_store::Result<windlass_store::WatchStream> {
        let mut broken = self.broken.subscribe();
        broken.mark_unchanged();
        let stream: futures::stream::BoxStream<'static, windlass_store::Result<Batch>> =
            self.memory.watch(range, after).await?;
        Ok(stream.take_until(Box::pin(async move { broken.changed().await.is_ok() })).boxed())
    }

    async fn request_progress(&self) -> windlass_store::Result<()> {
        self.memory.request_progress().await
    }
}

#[async_trait]
impl Compact for Fragile {
    async fn compact(&self, up_to: Revision) -> windlass_store::Result<()> {
        self.memory.compact(up_to).await
    }
}

impl Leased for Fragile {
    type Lessor = Memory;

    fn lessor(&self) -> &Memory {
        &self.memory
    }
}

/// One that answers so many ranges, until there are more permits.
fn fragile(answers: usize) -> (Arc<Fragile>, tokio::sync::watch::Sender<u32>, Arc<Semaphore>) {
    let memory = Memory::with_limits(Limits::default());
    let (broken, answers) = (tokio::sync::watch::Sender::new(0), Arc::new(Semaphore::new(answers)));
    let fragile = Fragile { memory, broken: broken.clone(), answers: answers.clone() };
    (Arc::new(fragile), broken, answers)
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_read_before_the_watch_broke_has_no_hole() {
    let (fragile, broken, answers) = fragile(0);
    let world = World::over(fragile).await;
    world.put("a", "x").await;
    let trouble = async {
        // The objects have been read, and are on their way.
        tokio::time::sleep(Duration::from_millis(1)).await;
        broken.send_modify(|times| *times += 1);
        tokio::time::sleep(Duration::from_millis(1)).await;
        let last = world.put("b", "x").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        answers.add_permits(100);
        last
    };
    let (page, last) = tokio::join!(world.list(Selection::default(), ReadVersion::Any), trouble);
    let page = page.expect("a list");
    assert!(page.revision < last || names(&page) == "a b", "{} {}", page.revision, names(&page));
    let page = world.list(Selection::default(), ReadVersion::Newest).await.expect("a list");
    assert_eq!(names(&page), "a b");
}

#[tokio::test]
async fn a_watch_from_now_begins_without_the_objects_there_are() {
    for world in World::both().await {
        world.put("a", "x").await;
        let from = WatchFrom::Now { at: ReadVersion::Newest };
        let mut stream = world.watch(Selection::default(), from).await.expect("a watch");
        world.put("b", "x").await;
        assert_eq!(next(&mut stream, 1).await, ["ADDED b"]);
    }
}

#[tokio::test]
async fn what_is_found_by_a_field_or_a_name_is_what_is_there() {
    for world in World::both().await {
        world.put("a", "x").await;
        let found = async |selection: &Selection| {
            let page = world.list(selection.clone(), ReadVersion::Newest).await.expect("a list");
            names(&page)
        };
        assert_eq!(found(&on("x")).await, "a");
        world.put("b", "x").await;
        world.put("a", "y").await;
        let named = Selection { fields: FieldSelector::equal("metadata.name", "a"), ..on("y") };
        assert_eq!((found(&on("x")).await, found(&on("y")).await), ("b".into(), "a".into()));
        assert_eq!(found(&named).await, "a");
        world.delete("a").await;
        assert_eq!((found(&on("y")).await, found(&named).await), (String::new(), String::new()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_of_the_store_is_mended() {
    let (fragile, broken, _) = fragile(100);
    let world = World::over(fragile).await;
    let start = world.put("a", "x").await;
    world.list(Selection::default(), ReadVersion::Newest).await.expect("a list");
    let from = WatchFrom::After(start);
    let mut stream = world.watch(Selection::default(), from).await.expect("a watch");
    broken.send_modify(|times| *times += 1);
    assert!(stream.next().await.is_none(), "who watched is told to begin again");
    let last = world.put("b", "x").await;
    let page = world.list(Selection::default(), ReadVersion::Newest).await.expect("a list");
    assert_eq!((names(&page).as_str(), page.revision), ("a b", last));
    let mut stream =
        world.watch(Selection::default(), WatchFrom::After(last)).await.expect("a watch");
    world.put("c", "x").await;
    assert_eq!(next(&mut stream, 1).await, ["ADDED c"]);
}

#[tokio::test]
async fn one_commit_of_many_objects_is_whole() {
    let world = World::cached().await;
    let start = world.put("a", "x").await;
    world.list(Selection::default(), ReadVersion::Newest).await.expect("a list");
    let from = WatchFrom::After(start);
    let mut stream = world.watch(Selection::default(), from).await.expect("a watch");
    let body = world.backend.get(&world.key("a"), None).await.expect("read").expect("there").value;
    let txn = Txn {
        preconditions: vec![Precondition::Exists(world.key("a"))],
        ops: vec![
            Op::Put { key: "/registry/ranges/x".into(), value: "1".into(), lease: None },
            Op::Put { key: world.key("b"), value: body, lease: None },
            Op::Delete { key: world.key("a") },
        ],
    };
    let revision = world.storage.commit(txn).await.expect("committed").revision;
    assert_eq!(next(&mut stream, 2).await, ["ADDED a", "DELETED a"]);
    let page = world.list(Selection::default(), ReadVersion::Newest).await.expect("a list");
    assert_eq!((page.items.len(), page.revision), (1, revision));
}

#[test]
fn keys_name_their_resource() {
    let pods = pods();
    let key = pods.key(Some("default"), "a");
    assert_eq!(&key[..], b"/registry/core/pods/default/a");
    assert_eq!(Resource::prefix_of(&key), Some(&pods.prefix[..]));
    assert_eq!(Resource::prefix_of(b"/registry/core"), None);
    assert_eq!(Resource::prefix_of(b"/other/core/pods/a"), None);
}

#[test]
fn tokens_are_read_as_written() {
    let token = Continuation { revision: 7, start: "default/a\0".into() };
    assert_eq!(Continuation::decode(&token.encode()), Ok(token));
    for rubbish in ["rubbish", "e30", "", "\u{ff}"] {
        let refused = Continuation::decode(rubbish).expect_err("no token");
        assert_eq!(refused.reason, Reason::BadRequest);
        assert!(refused.message.starts_with("continue key is not valid: "));
    }
}

#[tokio::test]
async fn what_was_cut_off_is_an_error_that_names_the_key() {
    let world = World::plain();
    world.put("a", "x").await;
    let key = world.key("a");
    let whole = world.backend.get(&key, None).await.expect("readable").expect("there").value;
    let cut = Txn::new().put(key.clone(), whole.slice(..whole.len() - 1));
    world.backend.commit(cut).await.expect("written");
    let read = world.storage.get(&world.pods, &key, ReadVersion::Newest).await;
    let status = read.expect_err("it has no end");
    let key = String::from_utf8_lossy(&key);
    assert!(status.code == 500 && status.message.contains(&*key), "{status:?}");
}
