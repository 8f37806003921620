//! Quotas.

use crate::cluster::{Cluster, NS, key, template};
use serde_json::{Value, json};
use windlass_core::client::{ClientExt, DeleteOptions, Key, ListOptions, Scope};
use windlass_core::scheme::{self, GroupVersionResource};

fn used(wanted: Value) -> impl Fn(&[Value]) -> bool {
    move |all| all[0]["status"]["used"] == wanted
}

#[tokio::test(start_paused = true)]
async fn a_quota_tells_what_is_used() {
    let cluster = Cluster::start(&["resourcequota-controller"]).await;
    let mut pod = template("a", "x:1");
    pod["metadata"]["name"] = json!("first");
    pod["spec"]["terminationGracePeriodSeconds"] = json!(0);
    pod["spec"]["containers"][0]["resources"] = json!({"requests": {"memory": "64Mi"}});
    cluster.create(scheme::PODS, pod.clone()).await;

    let hard = json!({"pods": "100", "requests.memory": "1Gi", "configmaps": "5"});
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    cluster.create(scheme::RESOURCEQUOTAS, quota).await;
    let quotas = || scheme::RESOURCEQUOTAS;
    let first = used(json!({"pods": "1", "requests.memory": "64Mi", "configmaps": "0"}));
    let all = cluster.until("what was there", quotas(), "", first).await;
    assert_eq!(all[0]["status"]["hard"], hard);

    pod["metadata"]["name"] = json!("second");
    cluster.create(scheme::PODS, pod).await;
    let map = json!({"metadata": {"name": "m"}, "data": {"a": "b"}});
    cluster.create(scheme::CONFIGMAPS, map).await;
    let both = used(json!({"pods": "2", "requests.memory": "128Mi", "configmaps": "1"}));
    let before = cluster.until("what came", quotas(), "", both).await;

    cluster.patch(&key(scheme::CONFIGMAPS, "m"), json!({"data": {"a": "c"}})).await;
    let running = json!({"status": {"phase": "Running"}});
    cluster.patch(&key(scheme::PODS, "second").subresource("status"), running).await;
    cluster.pass(60).await;
    let after = cluster.list(quotas(), "").await;
    assert_eq!(after, before, "it is not written for changes that use the same");

    let ended = json!({"status": {"phase": "Succeeded"}});
    cluster.patch(&key(scheme::PODS, "first").subresource("status"), ended).await;
    cluster.delete(&key(scheme::CONFIGMAPS, "m"), DeleteOptions::default()).await;
    let one = used(json!({"pods": "1", "requests.memory": "64Mi", "configmaps": "0"}));
    cluster.until("what ended", quotas(), "", one).await;

    let more = json!({"spec": {"hard": {"configmaps": null, "count/services": "3"}}});
    cluster.patch(&key(quotas(), "q"), more).await;
    let other = used(json!({"pods": "1", "requests.memory": "64Mi", "count/services": "0"}));
    cluster.until("another kind", quotas(), "", other).await;
}

#[tokio::test(start_paused = true)]
async fn a_quota_holds_while_objects_come_and_go() {
    let cluster = Cluster::start(&["resourcequota-controller"]).await;
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "10"}}});
    cluster.create(scheme::RESOURCEQUOTAS, quota).await;
    let counted = used(json!({"configmaps": "0"}));
    cluster.until("counted", scheme::RESOURCEQUOTAS, "", counted).await;
    let write = |writer: usize| {
        let client = cluster.client.clone();
        tokio::spawn(async move {
            let (maps, scope) = (key(scheme::CONFIGMAPS, ""), Scope::all(scheme::CONFIGMAPS));
            let mut made = 0;
            for turn in 0..4 {
                let name = format!("m-{writer}-{turn}");
                let map = json!({"metadata": {"name": name}});
                match client.create_from(&maps, &map).await {
                    Ok(_) => made += 1,
                    Err(error) => {
                        let words = "exceeded quota: q, requested: configmaps=1";
                        assert!(error.to_string().contains(words), "{error}");
                        continue;
                    }
                }
                let there = client.list(&scope, &ListOptions::default()).await.unwrap().items.len();
                assert!(there <= 10, "{there} objects");
                if (writer + turn).is_multiple_of(2) {
                    let key = key(scheme::CONFIGMAPS, &name);
                    client.delete(&key, &DeleteOptions::default()).await.unwrap();
                }
            }
            made
        })
    };
    let writers: Vec<_> = (0..64).map(write).collect();
    let mut made = 0;
    for writer in writers {
        made += writer.await.unwrap();
    }
    let there = cluster.list(scheme::CONFIGMAPS, "").await.len();
    assert!(made > there && there <= 10, "{made} were made, {there} are there");
    let counted = used(json!({"configmaps": there.to_string()}));
    cluster.until("counted again", scheme::RESOURCEQUOTAS, "", counted).await;
}

#[tokio::test(start_paused = true)]
async fn objects_of_defined_kinds_are_counted() {
    let cluster = Cluster::start(&["resourcequota-controller"]).await;
    let hard = json!({"count/widgets.example.com": "1", "configmaps": "5"});
    let quota = json!({"metadata": {"name": "q"}, "spec": {"hard": hard}});
    cluster.create(scheme::RESOURCEQUOTAS, quota).await;
    let none = used(json!({"configmaps": "0"}));
    cluster.until("what is known", scheme::RESOURCEQUOTAS, "", none).await;

    let schema = json!({"openAPIV3Schema": {"type": "object"}});
    let definition = json!({"metadata": {"name": "widgets.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}});
    cluster.create(scheme::CUSTOMRESOURCEDEFINITIONS, definition).await;
    let counted =
        |count: &str| used(json!({"configmaps": "0", "count/widgets.example.com": count}));
    cluster.until("the new kind", scheme::RESOURCEQUOTAS, "", counted("0")).await;

    let kind = GroupVersionResource::new("example.com", "v1", "widgets");
    let widgets = |name: &str| Key::new(kind.clone(), NS, name);
    let widget = |name: &str| json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}});
    cluster.client.create_from(&widgets(""), &widget("a")).await.unwrap();
    let error = cluster.client.create_from(&widgets(""), &widget("b")).await.unwrap_err();
    let words = "exceeded quota: q, requested: count/widgets.example.com=1, used: count/widgets.example.com=1, limited: count/widgets.example.com=1";
    assert!(error.to_string().contains(words), "{error}");
    cluster.delete(&widgets("a"), DeleteOptions::default()).await;
    cluster.until("one less", scheme::RESOURCEQUOTAS, "", counted("0")).await;
    cluster.client.create_from(&widgets(""), &widget("b")).await.unwrap();
}
