//! Quotas.

use crate::cluster::{Cluster, key, template};
use serde_json::{Value, json};
use windlass_core::client::DeleteOptions;
use windlass_core::scheme;

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
