//! The `kube` crate's own API and runtime, as other people's controllers use them.

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Resource, ResourceExt};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"k": "v"}})).expect("typed")
}

#[tokio::test]
async fn its_watcher_sees_what_happens() {
    let client = kube::Client::new(crate::server().await.service(), "default");
    for streaming in [false, true] {
        let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
        api.create(&PostParams::default(), &config_map("before")).await.expect("it is new");
        let config = watcher::Config::default();
        let config = if streaming { config.streaming_lists() } else { config };
        let mut events = Box::pin(watcher(api.clone(), config));
        let mut seen = Vec::new();
        while seen.len() < 5 {
            let event = tokio::time::timeout(Duration::from_secs(10), events.next()).await;
            let event = event.expect("in time").expect("it goes on").expect("no error");
            let name = |object: &ConfigMap| object.metadata.name.clone().expect("a name");
            seen.push(match &event {
                Event::Init => "init".to_owned(),
                Event::InitApply(object) => format!("init {}", name(object)),
                Event::InitDone => "done".to_owned(),
                Event::Apply(object) => format!("apply {}", name(object)),
                Event::Delete(object) => format!("delete {}", name(object)),
            });
            if matches!(event, Event::InitDone) {
                let params = PatchParams::apply("test").force();
                let mut after = config_map("after");
                after.metadata.managed_fields = None;
                api.patch("after", &params, &Patch::Apply(&after)).await.expect("applied");
                api.delete("before", &DeleteParams::default()).await.expect("it is there");
            }
        }
        assert_eq!(seen, ["init", "init before", "done", "apply after", "delete before"]);
        api.delete_collection(&DeleteParams::default(), &ListParams::default())
            .await
            .expect("all go");
    }
}

/// Keeps a copy of each config map that wants one, and says so in an annotation.
async fn reconcile(object: Arc<ConfigMap>, client: Arc<kube::Client>) -> kube::Result<Action> {
    let name = format!("{}-copy", object.name_any());
    let api: Api<Secret> = Api::default_namespaced((*client).clone());
    let owner = object.controller_owner_ref(&()).expect("it has a uid");
    let copy = json!({
        "apiVersion": "v1", "kind": "Secret", "stringData": object.data,
        "metadata": {"name": name, "ownerReferences": [owner]},
    });
    let params = PatchParams::apply("copier").force();
    api.patch(&name, &params, &Patch::Apply(&copy)).await?;
    Ok(Action::await_change())
}

async fn text(api: &Api<Secret>, name: &str) -> Option<String> {
    let secret = api.get_opt(name).await.expect("it answers")?;
    let bytes = secret.data?.remove("k")?.0;
    Some(String::from_utf8(bytes).expect("text"))
}

#[tokio::test]
async fn its_controller_keeps_what_it_owns() {
    let client = kube::Client::new(crate::server().await.service(), "default");
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let secrets: Api<Secret> = Api::default_namespaced(client.clone());
    let config = watcher::Config::default().labels("copy=yes");
    let mut done = Box::pin(
        Controller::new(maps.clone(), config)
            .owns(secrets.clone(), watcher::Config::default())
            .run(
                reconcile,
                |_, error, _| panic!("no error is expected: {error}"),
                Arc::new(client.clone()),
            ),
    );
    let mut map = config_map("a");
    map.metadata.labels = Some([("copy".to_owned(), "yes".to_owned())].into());
    maps.create(&PostParams::default(), &map).await.expect("it is new");
    maps.create(&PostParams::default(), &config_map("other")).await.expect("it is new");
    let mut until = async |value: &str| {
        while text(&secrets, "a-copy").await.as_deref() != Some(value) {
            let next = tokio::time::timeout(Duration::from_secs(10), done.next()).await;
            next.expect("in time").expect("it goes on").expect("it works");
        }
    };
    until("v").await;
    let change = json!({"data": {"k": "w"}});
    maps.patch("a", &PatchParams::default(), &Patch::Merge(&change)).await.expect("changed");
    until("w").await;
    secrets.delete("a-copy", &DeleteParams::default()).await.expect("it is there");
    until("w").await;
    assert!(secrets.get_opt("other-copy").await.expect("it answers").is_none());
}
