//! What every client does.

use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::client::{
    Client, ClientExt, DeleteOptions, Key, ListOptions, Patch, PatchType, Scope, WatchEvent,
    WatchStream, WriteOptions,
};
use windlass_core::meta::Reason;
use windlass_core::{Error, Object, scheme};

const DEADLINE: Duration = Duration::from_secs(10);

/// All of it, one after the other, against a server with the namespaces `default` and `other`.
pub(crate) async fn run(client: Arc<dyn Client>) {
    let client = &*client;
    creates_and_reads(client).await;
    updates(client).await;
    patches(client).await;
    lists(client).await;
    watches(client).await;
    deletes(client).await;
}

fn key(name: &str) -> Key {
    Key::new(scheme::CONFIGMAPS, "default", name)
}

fn scope() -> Scope {
    Scope::namespace(scheme::CONFIGMAPS, "default")
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"of": "contract"}}, "data": data})
}

fn value(object: &Object) -> Value {
    object.view().expect("JSON")
}

fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> Reason {
    result.expect_err("a refusal").reason().expect("the server's refusal")
}

async fn creates_and_reads(client: &dyn Client) {
    let made = client.create_from(&key(""), &config_map("a", json!({"k": "v"}))).await;
    let made = made.expect("it is new");
    assert_eq!((made.name(), made.namespace()), ("a", "default"));
    assert_eq!(made.header().uid.len(), 36);
    assert!(made.resource_version() > 0);
    let read = client.get(&key("a")).await.expect("it is there");
    assert_eq!(value(&read), value(&made));
    assert_eq!(value(&read)["data"], json!({"k": "v"}));
    assert_eq!(
        reason(client.create_from(&key(""), &config_map("a", json!({}))).await),
        Reason::AlreadyExists
    );
    assert_eq!(reason(client.get(&key("none")).await), Reason::NotFound);
    let nowhere = Key::new(scheme::CONFIGMAPS, "nowhere", "");
    let refused = client.create_from(&nowhere, &config_map("a", json!({}))).await;
    assert_eq!(reason(refused), Reason::NotFound);
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let body = config_map("dry", json!({})).to_string().into();
    client.create(&key(""), body, &dry).await.expect("it could be made");
    assert_eq!(reason(client.get(&key("dry")).await), Reason::NotFound);
    let generated = json!({"metadata": {"generateName": "gen-"}});
    let made = client.create_from(&key(""), &generated).await.expect("a name is found");
    assert_eq!(made.name().len(), "gen-".len() + 5);
    client.delete(&key(made.name()), &DeleteOptions::default()).await.expect("it was made");
}

async fn updates(client: &dyn Client) {
    let old = client.get(&key("a")).await.expect("it is there");
    let mut body = value(&old);
    body["data"]["k"] = "w".into();
    let new = client.update_from(&key("a"), &body).await.expect("it is at that version");
    assert!(new.resource_version() > old.resource_version());
    assert_eq!(value(&new)["data"]["k"], "w");
    assert_eq!(reason(client.update_from(&key("a"), &body).await), Reason::Conflict);
    let same = client.update_from(&key("a"), &value(&new)).await.expect("nothing changes");
    assert_eq!(same.resource_version(), new.resource_version());
}

async fn patches(client: &dyn Client) {
    let options = WriteOptions::default();
    let patch = Patch::merge(&json!({"data": {"k": null, "m": "1"}}));
    let new = client.patch(&key("a"), patch, &options).await.expect("a merge patch");
    assert_eq!(value(&new)["data"], json!({"m": "1"}));
    let body = json!([{"op": "add", "path": "/data/j", "value": "2"}]).to_string().into();
    let patch = Patch { kind: PatchType::Json, body };
    let new = client.patch(&key("a"), patch, &options).await.expect("a JSON patch");
    assert_eq!(value(&new)["data"], json!({"m": "1", "j": "2"}));
}

async fn lists(client: &dyn Client) {
    for name in ["b", "c", "d"] {
        let labels = json!({"metadata": {"name": name, "labels": {"name": name}}});
        client.create_from(&key(""), &labels).await.expect("it is new");
    }
    let names = |list: &windlass_core::ObjectList| {
        list.items.iter().map(|o| o.name().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let all = client.list(&scope(), &ListOptions::default()).await.expect("a list");
    assert_eq!(names(&all), "a b c d");
    let labels = ListOptions { label_selector: "name in (b,d)".into(), ..ListOptions::default() };
    assert_eq!(names(&client.list(&scope(), &labels).await.expect("a list")), "b d");
    let fields = ListOptions { field_selector: "metadata.name!=c".into(), ..Default::default() };
    assert_eq!(names(&client.list(&scope(), &fields).await.expect("a list")), "a b d");
    let unknown = ListOptions { field_selector: "data.k=1".into(), ..Default::default() };
    assert_eq!(reason(client.list(&scope(), &unknown).await), Reason::BadRequest);
    pages(client).await;
}

async fn pages(client: &dyn Client) {
    let options = ListOptions { limit: 3, ..ListOptions::default() };
    let first = client.list(&scope(), &options).await.expect("a page");
    assert_eq!(first.items.len(), 3);
    assert_eq!(first.meta.remaining_item_count, Some(1));
    // The next page is of the same version.
    client.create_from(&key(""), &config_map("e", json!({}))).await.expect("it is new");
    let rest = ListOptions { continue_token: first.meta.continue_token.clone(), ..options };
    let second = client.list(&scope(), &rest).await.expect("a page");
    assert_eq!(second.items.len(), 1);
    assert_eq!(second.items[0].name(), "d");
    assert_eq!(second.meta.resource_version, first.meta.resource_version);
    assert!(second.meta.continue_token.is_empty());
    let rubbish = ListOptions { continue_token: "rubbish".into(), ..ListOptions::default() };
    assert_eq!(reason(client.list(&scope(), &rubbish).await), Reason::BadRequest);
}

/// The next events, as words: `+` and the name for one that was added, `~` changed, `-` deleted, `|` a bookmark.
async fn next(stream: &mut WatchStream, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let batch = tokio::time::timeout(DEADLINE, stream.next()).await.expect("in time");
        let batch = batch.expect("the watch goes on").expect("no error");
        seen.extend(batch.iter().map(|event| match event {
            WatchEvent::Added(object) => format!("+{}", object.name()),
            WatchEvent::Modified(object) => format!("~{}", object.name()),
            WatchEvent::Deleted(object) => format!("-{}", object.name()),
            WatchEvent::Bookmark { .. } => "|".to_owned(),
        }));
    }
    seen
}

async fn watches(client: &dyn Client) {
    let list = client.list(&scope(), &ListOptions::default()).await.expect("a list");
    let from = ListOptions {
        resource_version: list.meta.resource_version.clone(),
        label_selector: "watch=me".into(),
        ..ListOptions::default()
    };
    let mut stream = client.watch(&scope(), &from).await.expect("a watch");
    let body = json!({"metadata": {"name": "w", "labels": {"watch": "me"}}});
    client.create_from(&key(""), &body).await.expect("it is new");
    let options = WriteOptions::default();
    let data = Patch::merge(&json!({"data": {"k": "v"}}));
    client.patch(&key("w"), data, &options).await.expect("it is there");
    let leave = Patch::merge(&json!({"metadata": {"labels": {"watch": "not"}}}));
    client.patch(&key("w"), leave, &options).await.expect("it is there");
    let enter = Patch::merge(&json!({"metadata": {"labels": {"watch": "me"}}}));
    client.patch(&key("w"), enter, &options).await.expect("it is there");
    client.delete(&key("w"), &DeleteOptions::default()).await.expect("it is there");
    assert_eq!(next(&mut stream, 5).await, ["+w", "~w", "-w", "+w", "-w"]);
    // The same again, from the past.
    let mut replay = client.watch(&scope(), &from).await.expect("a watch");
    assert_eq!(next(&mut replay, 5).await, ["+w", "~w", "-w", "+w", "-w"]);
    initial_events(client).await;
}

async fn initial_events(client: &dyn Client) {
    let options = ListOptions {
        send_initial_events: Some(true),
        allow_bookmarks: true,
        version_match: Some(windlass_core::client::VersionMatch::NotOlderThan),
        ..ListOptions::default()
    };
    let mut stream = client.watch(&scope(), &options).await.expect("a watch");
    assert_eq!(next(&mut stream, 6).await, ["+a", "+b", "+c", "+d", "+e", "|"]);
    let old = ListOptions { resource_version: "1".into(), ..ListOptions::default() };
    let refused = match client.watch(&scope(), &old).await {
        Err(error) => error,
        Ok(mut stream) => {
            let first = tokio::time::timeout(DEADLINE, stream.next()).await.expect("in time");
            first.expect("an event").expect_err("it is too old")
        }
    };
    assert!(refused.is_expired(), "{refused}");
}

async fn deletes(client: &dyn Client) {
    let other = DeleteOptions::uid("another");
    assert_eq!(reason(client.delete(&key("b"), &other).await), Reason::Conflict);
    let options = DeleteOptions::default();
    assert!(client.delete(&key("b"), &options).await.expect("it is there").is_none());
    assert_eq!(reason(client.delete(&key("b"), &options).await), Reason::NotFound);
    let held = json!({"metadata": {"name": "held", "finalizers": ["accept.example/hold"]}});
    client.create_from(&key(""), &held).await.expect("it is new");
    let waiting = client.delete(&key("held"), &options).await.expect("it is there");
    assert!(waiting.expect("it waits").header().deleting);
    let free = Patch::merge(&json!({"metadata": {"finalizers": null}}));
    client.patch(&key("held"), free, &WriteOptions::default()).await.expect("it is there");
    assert_eq!(reason(client.get(&key("held")).await), Reason::NotFound);
    client.delete_collection(&scope(), &ListOptions::default(), &options).await.expect("all go");
    let left = client.list(&scope(), &ListOptions::default()).await.expect("a list");
    assert!(left.items.is_empty());
}
