//! Nodes that come, fall silent and go.

use crate::cluster::{Cluster, key};
use serde_json::{Value, json};
use windlass_controllers::Settings;
use windlass_core::client::{DeleteOptions, Key, Patch, WriteOptions};
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

/// A node that gives a sign of life every half minute.
async fn working_node(cluster: &Cluster, name: &str) {
    ready_node(cluster, name).await;
    let (client, key) = (cluster.client.clone(), key(scheme::NODES, name).subresource("status"));
    tokio::spawn(async move {
        let first = 1_767_225_600;
        for beat in 1..200 {
            tokio::time::sleep(std::time::Duration::from_secs(30)).await;
            let at = jiff::Timestamp::from_second(first + 30 * beat).unwrap();
            let beat = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": at}]}});
            client.patch(&key, Patch::merge(&beat), &WriteOptions::default()).await.ok();
        }
    });
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
    working_node(&cluster, "other").await;
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
async fn when_the_last_node_falls_silent_the_first_is_spared_too() {
    let cluster = Cluster::start(&["node-lifecycle-controller"]).await;
    ready_node(&cluster, "a").await;
    ready_node(&cluster, "b").await;
    let evicts = |node: &Value| {
        let taints = node["spec"]["taints"].as_array();
        taints.is_some_and(|all| all.iter().any(|taint| taint["effect"] == "NoExecute"))
    };
    // Only the second one goes on speaking.
    cluster.pass(30).await;
    let beat = json!({"status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:30Z"}]}});
    cluster.patch(&key(scheme::NODES, "b").subresource("status"), beat).await;
    let first = |all: &[Value]| evicts(&all[0]) && !evicts(&all[1]);
    cluster.until("a taint", scheme::NODES, "", first).await;
    let silent =
        |all: &[Value]| all.iter().all(|node| condition(node, "Ready")["status"] == "Unknown");
    cluster.until("silence", scheme::NODES, "", silent).await;
    let spared = |all: &[Value]| all.iter().all(|node| !evicts(node));
    cluster.until("no taint", scheme::NODES, "", spared).await;
    cluster.pass(300).await;
    assert!(spared(&cluster.list(scheme::NODES, "").await));
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

#[tokio::test(start_paused = true)]
async fn pods_stay_when_all_nodes_are_silent() {
    let cluster = Cluster::start(&["node-lifecycle-controller", "taint-eviction-controller"]).await;
    for node in ["n", "m"] {
        ready_node(&cluster, node).await;
    }
    bound_pod(&cluster, "n").await;
    let tainted = |effect: &'static str| {
        move |all: &[Value]| {
            all.iter().all(|node| {
                let taints = node["spec"]["taints"].as_array();
                taints.is_some_and(|all| all.iter().any(|taint| taint["effect"] == effect))
            })
        }
    };
    cluster.until("no new pods", scheme::NODES, "", tainted("NoSchedule")).await;
    cluster.pass(3600).await;
    assert!(!tainted("NoExecute")(&cluster.list(scheme::NODES, "").await));
    assert_eq!(cluster.list(scheme::PODS, "").await.len(), 1);
    working_node(&cluster, "new").await;
    let first =
        |all: &[Value]| all.iter().any(|node| tainted("NoExecute")(std::slice::from_ref(node)));
    cluster.until("the brake is off", scheme::NODES, "", first).await;
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_node_out_of_service_are_collected() {
    let cluster = Cluster::start(&["pod-garbage-collector-controller"]).await;
    cluster.create(scheme::NODES, json!({"metadata": {"name": "n"}})).await;
    let down = json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}});
    cluster.patch(&key(scheme::NODES, "n").subresource("status"), down).await;
    bound_pod(&cluster, "n").await;
    let later = DeleteOptions { grace_period_seconds: Some(30), ..DeleteOptions::default() };
    cluster.delete(&key(scheme::PODS, "p"), later).await;
    cluster.pass(600).await;
    assert_eq!(cluster.list(scheme::PODS, "").await.len(), 1, "its agent is waited for");
    let taint = json!({"spec": {"taints": [{"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}]}});
    cluster.patch(&key(scheme::NODES, "n"), taint).await;
    cluster.until_count(scheme::PODS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_has_addresses_of_both_families() {
    let settings =
        Settings { cluster_cidr: "10.244.0.0/16,fd00::/48".into(), ..Settings::default() };
    let cluster = Cluster::with_settings(&["node-ipam-controller"], settings).await;
    for name in ["a", "b"] {
        ready_node(&cluster, name).await;
    }
    let all = cluster
        .until("addresses", scheme::NODES, "", |all| {
            all.len() == 2 && all.iter().all(|node| node["spec"]["podCIDRs"].is_array())
        })
        .await;
    let mut given: Vec<_> = all.iter().map(|node| node["spec"]["podCIDRs"].to_string()).collect();
    given.sort_unstable();
    assert_eq!(
        given,
        [r#"["10.244.0.0/24","fd00::/64"]"#, r#"["10.244.1.0/24","fd00:0:0:1::/64"]"#]
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_found_no_room_gets_what_another_one_leaves() {
    let settings = Settings { cluster_cidr: "10.1.0.0/24".into(), ..Settings::default() };
    let cluster = Cluster::with_settings(&["node-ipam-controller"], settings).await;
    let has = |all: &[Value]| all.len() == 1 && all[0]["spec"]["podCIDR"] == "10.1.0.0/24";
    ready_node(&cluster, "first").await;
    cluster.until("the first one's", scheme::NODES, "", has).await;
    ready_node(&cluster, "second").await;
    cluster.pass(60).await;
    let nodes = cluster.list(scheme::NODES, "").await;
    assert!(nodes[1]["spec"]["podCIDR"].is_null(), "there is no room: {nodes:#?}");
    cluster.delete(&key(scheme::NODES, "first"), Default::default()).await;
    cluster.until("the second one's", scheme::NODES, "", has).await;
}
