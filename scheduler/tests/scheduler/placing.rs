//! Pods that get nodes, and pods that wait for them.

use crate::cluster::Cluster;
use serde_json::{Value, json};
use windlass_core::client::Key;
use windlass_core::scheme;

#[tokio::test(start_paused = true)]
async fn a_pod_gets_a_node() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "4").await;
    cluster.add_pod("p", json!({})).await;
    assert_eq!(cluster.bound("p").await, "a");
    let event = cluster.event("Scheduled", "p").await;
    assert_eq!(event["message"], "Successfully assigned ns/p to a");
}

#[tokio::test(start_paused = true)]
async fn a_pod_keeps_away_from_those_it_can_not_be_with() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "4").await;
    let averse = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "namespaceSelector": {}, "labelSelector": {}}]}}});
    cluster.label_node("a", "kubernetes.io/hostname", "a").await;
    cluster.add_pod("first", averse.clone()).await;
    assert_eq!(cluster.bound("first").await, "a");
    cluster.add_pod("second", averse).await;
    let message = cluster.refused("second").await["message"].to_string();
    assert!(message.contains("1 node(s) didn't match pod anti-affinity rules"), "{message}");
    cluster.add_node("b", "4").await;
    cluster.label_node("b", "kubernetes.io/hostname", "b").await;
    assert_eq!(cluster.bound("second").await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_until_its_claims_have_volumes() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "4").await;
    cluster.add_node("b", "4").await;
    let class = |name: &str, provisioner: &str| {
        json!({"metadata": {"name": name}, "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer"})
    };
    cluster.create(scheme::STORAGECLASSES, class("local", "kubernetes.io/no-provisioner")).await;
    cluster.create(scheme::STORAGECLASSES, class("made", "x.io/maker")).await;
    let on_b =
        json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]});
    let volume = json!({"metadata": {"name": "v"}, "spec": {"storageClassName": "local",
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/v"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [on_b]}}}});
    cluster.create(scheme::PERSISTENTVOLUMES, volume).await;
    let status = Key::cluster(scheme::PERSISTENTVOLUMES, "v").subresource("status");
    cluster.patch(&status, json!({"status": {"phase": "Available"}})).await;
    for class in ["local", "made"] {
        let claim = json!({"metadata": {"name": class}, "spec": {"storageClassName": class,
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        cluster.create(scheme::PERSISTENTVOLUMECLAIMS, claim).await;
    }
    let volume =
        |claim: &str| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}});
    cluster.add_pod("p", json!({"volumes": [volume("local"), volume("made")]})).await;
    // The volume is set aside for its claim, and one is asked for on the same node.
    let set_aside = |v: &Value| v["spec"]["claimRef"]["name"] == "local";
    cluster.find(scheme::PERSISTENTVOLUMES, set_aside).await;
    let asked = |claim: &Value| {
        claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "b"
    };
    cluster.find(scheme::PERSISTENTVOLUMECLAIMS, asked).await;
    // What the controllers and the maker do.
    for (claim, volume) in [("local", "v"), ("made", "w")] {
        let done = json!({"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}},
            "spec": {"volumeName": volume}});
        cluster.patch(&Key::new(scheme::PERSISTENTVOLUMECLAIMS, "ns", claim), done).await;
    }
    assert_eq!(cluster.bound("p").await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_pod_gets_the_devices_it_claims() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "4").await;
    cluster.add_node("b", "4").await;
    cluster.create(scheme::DEVICECLASSES, json!({"metadata": {"name": "gpu"}, "spec": {}})).await;
    let pool = json!({"name": "b", "generation": 1, "resourceSliceCount": 1});
    let slice = json!({"metadata": {"name": "s"}, "spec": {"driver": "x.io", "nodeName": "b",
        "pool": pool, "devices": [{"name": "one"}]}});
    cluster.create(scheme::RESOURCESLICES, slice).await;
    let request = json!({"name": "r", "exactly": {"deviceClassName": "gpu"}});
    let claim = json!({"metadata": {"name": "c"}, "spec": {"devices": {"requests": [request]}}});
    cluster.create(scheme::RESOURCECLAIMS, claim).await;
    let claims = json!({"resourceClaims": [{"name": "gpu", "resourceClaimName": "c"}]});
    cluster.add_pod("p", claims.clone()).await;
    assert_eq!(cluster.bound("p").await, "b");
    let reserved = |claim: &Value| claim["status"]["reservedFor"][0]["name"] == "p";
    let claim = cluster.find(scheme::RESOURCECLAIMS, reserved).await;
    let result = &claim["status"]["allocation"]["devices"]["results"][0];
    assert_eq!((&result["device"], &result["request"]), (&json!("one"), &json!("r")));
    assert_eq!(
        claim["metadata"]["finalizers"],
        json!(["resource.kubernetes.io/delete-protection"])
    );
    // A second one shares the claim.
    cluster.add_pod("q", claims).await;
    assert_eq!(cluster.bound("q").await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_a_node_and_says_so() {
    let cluster = Cluster::start().await;
    cluster.add_pod("p", json!({})).await;
    let condition = cluster.refused("p").await;
    assert_eq!(condition["reason"], "Unschedulable");
    assert_eq!(condition["message"], "no nodes available to schedule pods");
    let event = cluster.event("FailedScheduling", "p").await;
    assert_eq!((&event["type"], &event["message"]), (&json!("Warning"), &condition["message"]));
    cluster.add_node("small", "500m").await;
    cluster.add_node("a", "4").await;
    assert_eq!(cluster.bound("p").await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_pod_takes_the_room_that_another_one_leaves() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "1").await;
    cluster.add_pod("first", json!({})).await;
    assert_eq!(cluster.bound("first").await, "a");
    cluster.add_pod("second", json!({})).await;
    let condition = cluster.refused("second").await;
    assert_eq!(
        condition["message"],
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
         1 No preemption victims found for incoming pod."
    );
    cluster.delete_pod("first").await;
    assert_eq!(cluster.bound("second").await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_higher_priority_takes_room_from_others() {
    let cluster = Cluster::start().await;
    cluster.add_node("a", "1").await;
    cluster.add_pod("low", json!({})).await;
    cluster.bound("low").await;
    cluster.add_pod("high", json!({"priority": 1000})).await;
    let ended = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        let mut targets = conditions.filter(|c| c["type"] == "DisruptionTarget");
        pod["metadata"]["name"] == "low"
            && pod["metadata"]["deletionTimestamp"].is_string()
            && targets.any(|c| c["reason"] == "PreemptionByScheduler")
    };
    cluster.find(scheme::PODS, ended).await;
    let event = cluster.event("Preempted", "low").await;
    let text = event["message"].as_str().expect("text");
    assert!(text.starts_with("Preempted by pod ") && text.ends_with(" on node a"), "{text}");
    let promised = |pod: &Value| {
        pod["metadata"]["name"] == "high" && pod["status"]["nominatedNodeName"] == "a"
    };
    cluster.find(scheme::PODS, promised).await;
    // What an agent does when the pod has ended.
    cluster.delete_pod("low").await;
    assert_eq!(cluster.bound("high").await, "a");
}
