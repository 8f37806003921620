//! A few objects in memory, with just the part of the API that an agent uses.

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast;
use windlass_core::client::{
    DeleteOptions, Key, ListOptions, Patch, PatchType, Reader, Scope, WatchEvent, WatchStream,
    Watcher, WriteOptions, Writer,
};
use windlass_core::meta::{FieldSelector, Status};
use windlass_core::object::ListMeta;
use windlass_core::{Object, ObjectList, Result};

type Place = (String, String, String);

pub(super) struct MemoryApi {
    objects: Mutex<BTreeMap<Place, Value>>,
    version: Mutex<u64>,
    changes: broadcast::Sender<(Place, Kind, Value)>,
    tokens: tokio::sync::watch::Sender<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Added,
    Modified,
    Deleted,
}

impl Default for MemoryApi {
    fn default() -> Self {
        let changes = broadcast::channel(4096).0;
        let tokens = tokio::sync::watch::Sender::new(0);
        Self { objects: Mutex::default(), version: Mutex::new(1), changes, tokens }
    }
}

impl MemoryApi {
    pub(super) fn put(&self, resource: &str, mut object: Value) -> Value {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let meta = &object["metadata"];
        let place = (resource.to_owned(), text(&meta["namespace"]), text(&meta["name"]));
        let mut objects = self.objects.lock();
        let mut version = self.version.lock();
        *version += 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let kind = if objects.contains_key(&place) { Kind::Modified } else { Kind::Added };
        objects.insert(place.clone(), object.clone());
        self.changes.send((place, kind, object.clone())).ok();
        object
    }

    pub(super) fn remove(&self, resource: &str, namespace: &str, name: &str) {
        let place = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let mut objects = self.objects.lock();
        let Some(mut object) = objects.remove(&place) else { return };
        let mut version = self.version.lock();
        *version += 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        self.changes.send((place, Kind::Deleted, object)).ok();
    }

    pub(super) fn read(&self, resource: &str, namespace: &str, name: &str) -> Value {
        let place = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        self.objects.lock().get(&place).cloned().unwrap_or_default()
    }

    /// Marks a pod for deletion, as the API does.
    pub(super) fn delete_pod(&self, name: &str, now: jiff::Timestamp, grace: u64) {
        let mut pod = self.read("pods", "default", name);
        let end = now + std::time::Duration::from_secs(grace);
        pod["metadata"]["deletionTimestamp"] = json!(end.to_string());
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        self.put("pods", pod);
    }

    pub(super) fn messages(&self, reason: &str) -> Vec<String> {
        let objects = self.objects.lock();
        let events =
            objects.iter().filter(|(place, _)| place.0 == "events").map(|(_, event)| event);
        let events = events.filter(|event| event["reason"] == reason);
        events.map(|event| event["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until an object is as `wanted` says.
    pub(super) async fn until(
        &self,
        resource: &str,
        namespace: &str,
        name: &str,
        wanted: impl Fn(Option<&Value>) -> bool,
    ) -> Option<Value> {
        let mut changes = self.changes.subscribe();
        loop {
            let now = Some(self.read(resource, namespace, name)).filter(|object| !object.is_null());
            if wanted(now.as_ref()) {
                return now;
            }
            changes.recv().await.expect("changes");
        }
    }

    /// Returns at the next change of anything.
    pub(super) async fn changed(&self) {
        self.changes.subscribe().recv().await.expect("changes");
    }

    /// Returns once so many tokens were given.
    pub(super) async fn tokens(&self, count: u32) {
        self.tokens.subscribe().wait_for(|given| *given >= count).await.expect("an API");
    }

    fn place(key: &Key) -> Place {
        (
            key.resource.resource.to_string(),
            key.namespace.clone().unwrap_or_default(),
            key.name.clone(),
        )
    }

    fn find(&self, key: &Key) -> Result<Value> {
        let found = self.objects.lock().get(&Self::place(key)).cloned();
        found.ok_or_else(|| Status::not_found("", &key.resource.resource, &key.name).into())
    }
}

fn object(value: &Value) -> Arc<Object> {
    Arc::new(Object::from_wire(value.to_string().into()).expect("an object"))
}

fn takes(scope: &Scope, options: &ListOptions, place: &Place, value: &Value) -> bool {
    let selector = FieldSelector::parse(&options.field_selector).expect("a selector");
    let field = |path: &str| {
        let pointer = format!("/{}", path.replace('.', "/"));
        value.pointer(&pointer).and_then(Value::as_str).unwrap_or_default().to_owned().into()
    };
    place.0 == scope.resource.resource
        && scope.namespace.as_ref().is_none_or(|namespace| *namespace == place.1)
        && selector.matches_with(field)
}

#[async_trait]
impl Reader for MemoryApi {
    async fn get(&self, key: &Key) -> Result<Arc<Object>> {
        self.find(key).map(|value| object(&value))
    }

    async fn list(&self, scope: &Scope, options: &ListOptions) -> Result<ObjectList> {
        let objects = self.objects.lock();
        let taken = objects.iter().filter(|(place, value)| takes(scope, options, place, value));
        let items = taken.map(|(_, value)| object(value)).collect();
        let resource_version = self.version.lock().to_string();
        Ok(ObjectList { meta: ListMeta { resource_version, ..ListMeta::default() }, items })
    }
}

#[async_trait]
impl Watcher for MemoryApi {
    async fn watch(&self, scope: &Scope, options: &ListOptions) -> Result<WatchStream> {
        let after: u64 = options.resource_version.parse().unwrap_or(0);
        // Under the lock, so that nothing falls between what is there and what comes.
        let objects = self.objects.lock();
        let changes = self.changes.subscribe();
        let missed: Vec<_> =
            objects.iter().map(|(p, v)| (p.clone(), Kind::Modified, v.clone())).collect();
        drop(objects);
        let (scope, options) = (scope.clone(), options.clone());
        let later = futures::stream::unfold(changes, |mut changes| async {
            Some((changes.recv().await.ok()?, changes))
        });
        let all = futures::stream::iter(missed).chain(later);
        Ok(all
            .filter_map(move |(place, kind, value)| {
                let object = object(&value);
                let wanted =
                    object.resource_version() > after && takes(&scope, &options, &place, &value);
                let event = match kind {
                    Kind::Added => WatchEvent::Added(object),
                    Kind::Modified => WatchEvent::Modified(object),
                    Kind::Deleted => WatchEvent::Deleted(object),
                };
                futures::future::ready(wanted.then(|| Ok(std::iter::once(event).collect())))
            })
            .boxed())
    }
}

#[async_trait]
impl Writer for MemoryApi {
    async fn create(&self, key: &Key, body: Bytes, _: &WriteOptions) -> Result<Arc<Object>> {
        let mut value: Value = serde_json::from_slice(&body).expect("JSON");
        if key.subresource.as_deref() == Some("token") {
            let expires = value["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
            self.tokens.send_modify(|count| *count += 1);
            let text = format!("token {}", *self.tokens.borrow());
            let now = jiff::Timestamp::constant(1_767_225_600, 0);
            let end = now + std::time::Duration::from_secs(expires.unsigned_abs());
            value["metadata"] = json!({"name": key.name});
            value["status"] = json!({"token": text, "expirationTimestamp": end.to_string()});
            return Ok(object(&value));
        }
        if self.find(key).is_ok() {
            return Err(Status::already_exists("", &key.resource.resource, &key.name).into());
        }
        value["metadata"]["uid"] = json!(format!("uid-{}", key.name));
        Ok(object(&self.put(&key.resource.resource, value)))
    }

    async fn update(&self, key: &Key, body: Bytes, _: &WriteOptions) -> Result<Arc<Object>> {
        let value: Value = serde_json::from_slice(&body).expect("JSON");
        Ok(object(&self.put(&key.resource.resource, value)))
    }

    async fn patch(&self, key: &Key, patch: Patch, _: &WriteOptions) -> Result<Arc<Object>> {
        let mut value = self.find(key)?;
        let body: Value = serde_json::from_slice(&patch.body).expect("JSON");
        if body["metadata"]["uid"].is_string() {
            assert_eq!(body["metadata"]["uid"], value["metadata"]["uid"], "of another pod");
        }
        let conditions = value["status"]["conditions"].clone();
        merge(&mut value, &body);
        if patch.kind == PatchType::Strategic && body["status"]["conditions"].is_array() {
            value["status"]["conditions"] = by_type(&conditions, &body["status"]["conditions"]);
        }
        Ok(object(&self.put(&key.resource.resource, value)))
    }

    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Option<Arc<Object>>> {
        self.find(key)?;
        assert_eq!(options.grace_period_seconds, Some(0));
        let (resource, namespace, name) = Self::place(key);
        self.remove(&resource, &namespace, &name);
        Ok(None)
    }

    async fn delete_collection(&self, _: &Scope, _: &ListOptions, _: &DeleteOptions) -> Result<()> {
        unreachable!("an agent deletes single objects")
    }
}

/// RFC 7386.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(fields) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        match value {
            Value::Null => drop(target.as_object_mut().expect("made above").remove(name)),
            value => merge(&mut target[name], value),
        }
    }
}

fn by_type(old: &Value, new: &Value) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut all = list(new);
    all.retain(|c| c["$patch"] != "delete");
    let kept = list(old).into_iter().filter(|c| !list(new).iter().any(|n| n["type"] == c["type"]));
    all.extend(kept);
    Value::Array(all)
}
