//! CustomResourceDefinitions, and what they define.

mod conversion;
mod definitions;
mod documents;
mod lifecycle;
mod objects;
mod subresources;
mod versions;

use crate::{Http, Read};
use futures::StreamExt;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use windlass_core::Object;
use windlass_core::client::{ListOptions, Scope, WatchEvent, WatchStream, Watcher};
use windlass_core::scheme::{CUSTOMRESOURCEDEFINITIONS, GroupVersionResource};

pub(crate) const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
pub(crate) const CARS: &str = "/apis/example.com/v1/namespaces/default/cars";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";
/// Nothing here takes so long.
const DEADLINE: Duration = Duration::from_secs(20);

/// Cars with a colour, a size that has a default, and a status.
pub(crate) fn cars() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "cars.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "cars", "kind": "Car", "shortNames": ["c"], "categories": ["all"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema()},
                "subresources": {"status": {}, "scale": {
                    "specReplicasPath": ".spec.doors", "statusReplicasPath": ".status.doors",
                    "labelSelectorPath": ".status.selector"}},
                "selectableFields": [{"jsonPath": ".spec.color"}],
                "additionalPrinterColumns": [
                    {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
                    {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                ],
            }],
        },
    })
}

pub(crate) fn schema() -> Value {
    json!({
        "type": "object", "description": "A car drives.", "required": ["spec"],
        "properties": {
            "spec": {"type": "object", "required": ["color"], "properties": {
                "color": {"type": "string", "enum": ["red", "green", "blue"]},
                "size": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
                "doors": {"type": "integer", "default": 4},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }},
            "status": {"type": "object", "properties": {
                "doors": {"type": "integer"}, "selector": {"type": "string"}, "phase": {"type": "string"},
                "conditions": {"type": "array", "items": {"type": "object", "properties": {
                    "type": {"type": "string"}, "status": {"type": "string"}}}},
            }},
        },
    })
}

pub(crate) fn car(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Car", "metadata": {"name": name}, "spec": spec})
}

/// A server on which cars are defined.
pub(crate) async fn with_cars() -> Http {
    let http = Http::start().await;
    define(&http, &cars()).await;
    http
}

/// Makes a definition and waits until it is served.
pub(crate) async fn define(http: &Http, definition: &Value) -> Value {
    http.post(CRDS, definition).await;
    let name = definition["metadata"]["name"].as_str().expect("a name");
    until(http, name, |definition| holds(definition, "Established")).await
}

pub(crate) fn holds(definition: &Value, condition: &str) -> bool {
    let conditions = definition["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|one| one["type"] == condition && one["status"] == "True")
}

/// Waits until a definition is as wanted.
pub(crate) async fn until(http: &Http, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let found = watch(http, CUSTOMRESOURCEDEFINITIONS, |event| match event {
        WatchEvent::Added(object) | WatchEvent::Modified(object) if object.name() == name => {
            Some(value(object)).filter(&wanted)
        }
        _ => None,
    });
    found.await
}

/// Waits until a definition is gone.
pub(crate) async fn until_gone(http: &Http, name: &str) {
    // From before it is looked for, so that its end is not missed.
    let stream = events(http, CUSTOMRESOURCEDEFINITIONS).await;
    if http.get(&format!("{CRDS}/{name}")).await.code == StatusCode::NOT_FOUND {
        return;
    }
    let gone = find(stream, |event| match event {
        WatchEvent::Deleted(object) if object.name() == name => Some(()),
        _ => None,
    });
    gone.await;
}

/// Waits for an event, beginning with what is there.
pub(crate) async fn watch<T>(
    http: &Http,
    resource: GroupVersionResource,
    wanted: impl FnMut(&WatchEvent) -> Option<T>,
) -> T {
    find(events(http, resource).await, wanted).await
}

async fn events(http: &Http, resource: GroupVersionResource) -> WatchStream {
    let scope = Scope::all(resource);
    http.server.objects().watch(&scope, &ListOptions::default()).await.expect("a watch")
}

async fn find<T>(mut stream: WatchStream, mut wanted: impl FnMut(&WatchEvent) -> Option<T>) -> T {
    let found = async {
        loop {
            let batch = stream.next().await.expect("it goes on").expect("no error");
            if let Some(found) = batch.iter().find_map(&mut wanted) {
                return found;
            }
        }
    };
    tokio::time::timeout(DEADLINE, found).await.expect("it comes in time")
}

pub(crate) fn value(object: &Object) -> Value {
    object.view().expect("JSON")
}

/// Posts what is refused; the message of the Status.
pub(crate) async fn refused(http: &Http, path: &str, object: &Value) -> (StatusCode, String) {
    let read = http.method(Method::POST, path, object).await;
    message(&read)
}

pub(crate) fn message(read: &Read) -> (StatusCode, String) {
    assert!(!read.code.is_success(), "{}", read.text());
    (read.code, read.json()["message"].as_str().unwrap_or_default().to_owned())
}
