//! Nodes that come, fall silent and go.

use crate::cluster::{Cluster, key};
use serde_json::{Value, json};
use windlass_core::client::{DeleteOptions, Key};
use windlass_core::scheme;

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .and_then(|all| all.iter().find(|condition| condition["type"] == kind))
        .unwrap_or(&Value::Null)
}

async fn ready_node(cluster: &Cluster, name: &str) {
    cluster.create(scheme::NODES, json!({"metadata": {"name": name}})).await;
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]}});
    cluster.patch(&key(scheme::NODES, name).subresource("status"), ready).await;
}

async fn bound_pod(cluster: &Cluster, node: &str) {
    let tolerations = json!([{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]);
    cluster.create(scheme::PODS, json!({"metadata": {"name": "p"}, "spec": {"nodeName": node, "tolerations": tolerations, "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "c", "image": "x"}]}})).await;
    let status = json!({"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    cluster.patch(&key(scheme::PODS, "p").subresource("status"), status).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_loses_its_pods_after_a_while() {
    let cluster = Cluster::start(&["node-lifecycle-controller", "taint-eviction-controller"]).await;
    ready_node(&cluster, "n").await;
    bound_pod(&cluster, "n").await;
    let lease = json!({"metadata": {"name": "n", "namespace": "kube-node-lease"}, "spec": {"holderIdentity": "n"}});
    let lease_key = Key::new(scheme::LEASES, "kube-node-lease", "n");
    cluster.create(scheme::NAMESPACES, json!({"metadata": {"name": "kube-node-lease"}})).await;
    cluster.client.create(&lease_key, lease.to_string().into(), &Default::default()).await.unwrap();
    for beat in 0..10 {
        cluster.pass(30).await;
        cluster.patch(&lease_key, json!({"spec": {"leaseTransitions": beat}})).await;
    }
    assert_eq!(
        condition(&cluster.list(scheme::NODES, "").await[0], "Ready")["status"],
        "True",
        "it gives signs of life"
    );
    let silent = cluster
        .until("unknown", scheme::NODES, "", |all| {
            condition(&all[0], "Ready")["status"] == "Unknown"
        })
        .await;
    assert_eq!(condition(&silent[0], "Ready")["reason"], "NodeStatusUnknown");
    let tainted = |all: &[Value]| {
        all[0]["spec"]["taints"].as_array().is_some_and(|all| {
            all.iter()
                .any(|t| t["key"] == "node.kubernetes.io/unreachable" && t["effect"] == "NoExecute")
        })
    };
    cluster.until("taints", scheme::NODES, "", tainted).await;
    cluster
        .until("pod not ready", scheme::PODS, "", |all| {
            condition(&all[0], "Ready")["status"] == "False"
        })
        .await;
    cluster.pass(280).await;
    assert_eq!(cluster.list(scheme::PODS, "").await.len(), 1, "it tolerates that for 300 seconds");
    cluster.until_deleting(scheme::PODS).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_speaks_again_loses_its_taints() {
    let cluster = Cluster::start(&["node-lifecycle-controller"]).await;
    ready_node(&cluster, "n").await;
    let tainted = |wanted: bool| {
        move |all: &[Value]| {
            all[0]["spec"]["taints"].as_array().is_some_and(|all| !all.is_empty()) == wanted
        }
    };
    cluster.until("taints", scheme::NODES, "", tainted(true)).await;
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T01:00:00Z"}]}});
    cluster.patch(&key(scheme::NODES, "n").subresource("status"), ready).await;
    cluster.until("no taints", scheme::NODES, "", tainted(false)).await;
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_node_that_is_gone_are_collected() {
    let cluster = Cluster::start(&["pod-garbage-collector-controller"]).await;
    ready_node(&cluster, "n").await;
    bound_pod(&cluster, "n").await;
    cluster.delete(&key(scheme::NODES, "n"), DeleteOptions::default()).await;
    cluster.pass(30).await;
    assert_eq!(cluster.list(scheme::PODS, "").await.len(), 1, "a node may come back");
    cluster.until_count(scheme::PODS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn each_node_has_addresses_of_its_own() {
    let cluster = Cluster::start(&["node-ipam-controller"]).await;
    for name in ["a", "b", "c"] {
        ready_node(&cluster, name).await;
    }
    let all = cluster
        .until("addresses", scheme::NODES, "", |all| {
            all.len() == 3 && all.iter().all(|node| node["spec"]["podCIDR"].is_string())
        })
        .await;
    let mut given: Vec<_> =
        all.iter().map(|node| node["spec"]["podCIDR"].as_str().unwrap()).collect();
    given.sort_unstable();
    assert_eq!(given, ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]);
}
