//! What a CustomResourceDefinition costs in memory. Alone in its process, so that nobody else's memory is counted.

use futures::StreamExt;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use windlass_api::authentication::User;
use windlass_api::local::LocalClient;
use windlass_api::server::ApiServer;
use windlass_core::client::{ClientExt, Key, ListOptions, Scope, WatchEvent, Watcher};
use windlass_core::scheme::CUSTOMRESOURCEDEFINITIONS;

const DEFINITIONS: usize = 200;
/// In bytes, for each of them.
const LIMIT: usize = 100_000;
/// So many come together.
const BATCH: usize = 20;
/// Until the store has forgotten how everything was before. (No time passes: the clock is wound on.)
const PAST: Duration = Duration::from_secs(900);

/// Some 160 fields, four levels deep, with descriptions, bounds, defaults and rules: about 25 kB of JSON, the size of
/// a usual one in the field.
fn schema() -> Value {
    let text = "Says how the part it belongs to behaves when the controller finds it in a state that was not asked for.";
    let leaf = |at: usize| match at % 4 {
        0 => {
            json!({"type": "string", "description": text, "pattern": "^[a-z0-9]+$", "maxLength": 63})
        }
        1 => json!({"type": "integer", "description": text, "minimum": 0, "default": 1}),
        2 => json!({"type": "boolean", "description": text}),
        _ => {
            json!({"type": "string", "description": text, "enum": ["Always", "Never", "Sometimes"]})
        }
    };
    let object = |fields: usize, inner: &Value| {
        let mut properties: Map<_, _> =
            (0..fields).map(|at| (format!("setting{at}"), leaf(at))).collect();
        properties.insert("nested".into(), inner.clone());
        json!({"type": "object", "description": text, "properties": properties,
            "x-kubernetes-validations": [{"rule": "!has(self.setting1) || self.setting1 < 100", "message": "too many"}]})
    };
    let list = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string", "maxLength": 63}, "value": leaf(0)}}, "maxItems": 64});
    let spec = object(40, &object(40, &object(40, &list)));
    json!({"type": "object", "description": text, "properties": {"spec": spec, "status": object(20, &list)}})
}

fn definition(at: usize) -> Value {
    let plural = format!("things{at}");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"plural": plural, "kind": format!("Thing{at}")},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema()}, "subresources": {"status": {}}}]},
    })
}

/// The memory of this process that is in use.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is there");
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<usize>().ok());
    kilobytes.expect("a number") * 1024
}

async fn install(server: &Arc<ApiServer>, range: std::ops::Range<usize>) {
    let client = LocalClient::new(server.clone(), User::admin());
    let key = Key::cluster(CUSTOMRESOURCEDEFINITIONS, "");
    let scope = Scope::all(CUSTOMRESOURCEDEFINITIONS);
    for at in range {
        if at % BATCH == 0 {
            // What the recent past keeps for watches is not what a definition costs.
            tokio::time::sleep(PAST).await;
        }
        let made = client.create_from(&key, &definition(at)).await.expect("it is valid");
        let options = ListOptions {
            field_selector: format!("metadata.name={}", made.name()),
            ..ListOptions::default()
        };
        let mut events = server.objects().watch(&scope, &options).await.expect("a watch");
        loop {
            let batch = events.next().await.expect("it goes on").expect("no error");
            let established = |event: &WatchEvent| match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    let view: Value = object.view().expect("JSON");
                    view["status"].to_string().contains("InitialNamesAccepted")
                }
                _ => false,
            };
            if batch.iter().any(established) {
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_definition_costs_under_100_kb() {
    let server = ApiServer::builder().build().await.expect("a server");
    // What is made once for all is not counted.
    install(&server, 0..BATCH).await;
    tokio::time::sleep(PAST).await;
    let before = resident();
    install(&server, BATCH..BATCH + DEFINITIONS).await;
    tokio::time::sleep(PAST).await;
    let each = resident().saturating_sub(before) / DEFINITIONS;
    let text = definition(0).to_string().len();
    println!("{each} bytes for each definition of {text} bytes of JSON");
    assert!(each < LIMIT, "{each} bytes");
}
