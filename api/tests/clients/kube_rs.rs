//! The `kube` crate's own API and runtime, as other people's controllers use them.

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::json;
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
