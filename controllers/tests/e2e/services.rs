//! Services and what stands behind them.

use crate::cluster::{Cluster, key};
use serde_json::{Value, json};
use windlass_core::client::DeleteOptions;
use windlass_core::scheme;

async fn cluster() -> Cluster {
    let all = [
        "endpoints-controller",
        "endpointslice-controller",
        "endpointslice-mirroring-controller",
        "garbage-collector-controller",
    ];
    let cluster = Cluster::start(&all).await;
    cluster.create(scheme::NODES, json!({"metadata": {"name": "n"}})).await;
    cluster
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": "a"}}, "spec": {"nodeName": "n",
        "containers": [{"name": "c", "image": "x", "ports": [{"name": "web", "containerPort": 8080}]}]}})
}

fn status(ready: &str) -> Value {
    json!({"status": {"phase": "Running", "podIP": "10.255.0.9", "podIPs": [{"ip": "10.255.0.9"}], "conditions": [{"type": "Ready", "status": ready}]}})
}

#[tokio::test(start_paused = true)]
async fn ready_pods_stand_behind_a_service() {
    let cluster = cluster().await;
    cluster.create(scheme::SERVICES, json!({"metadata": {"name": "svc"}, "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "targetPort": "web"}]}})).await;
    cluster.create(scheme::PODS, pod("p")).await;
    let path = key(scheme::PODS, "p").subresource("status");
    cluster.patch(&path, status("True")).await;
    let shows = |ready: bool| {
        move |all: &[Value]| {
            all.len() == 1
                && all[0]["endpoints"][0]["conditions"]["ready"] == ready
                && all[0]["ports"][0]["port"] == 8080
        }
    };
    cluster
        .until("slice", scheme::ENDPOINTSLICES, "kubernetes.io/service-name=svc", shows(true))
        .await;
    cluster
        .until("endpoints", scheme::ENDPOINTS, "", |all| {
            all.len() == 1 && all[0]["subsets"][0]["addresses"][0]["ip"] == "10.255.0.9"
        })
        .await;
    cluster.patch(&path, status("False")).await;
    cluster
        .until("slice", scheme::ENDPOINTSLICES, "kubernetes.io/service-name=svc", shows(false))
        .await;
    cluster
        .until("endpoints", scheme::ENDPOINTS, "", |all| {
            all[0]["subsets"][0]["notReadyAddresses"][0]["ip"] == "10.255.0.9"
        })
        .await;
    cluster.patch(&key(scheme::PODS, "p"), json!({"metadata": {"labels": {"app": null}}})).await;
    cluster
        .until("left", scheme::ENDPOINTSLICES, "", |all| {
            all.len() == 1 && all[0]["endpoints"].as_array().is_none_or(Vec::is_empty)
        })
        .await;
    cluster.delete(&key(scheme::SERVICES, "svc"), DeleteOptions::default()).await;
    cluster.until_count(scheme::ENDPOINTSLICES, "", 0).await;
    cluster.until_count(scheme::ENDPOINTS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn endpoints_by_hand_are_mirrored() {
    let cluster = cluster().await;
    cluster
        .create(
            scheme::SERVICES,
            json!({"metadata": {"name": "manual"}, "spec": {"ports": [{"port": 80}]}}),
        )
        .await;
    cluster.create(scheme::ENDPOINTS, json!({"metadata": {"name": "manual"}, "subsets": [{"addresses": [{"ip": "10.255.0.10"}], "ports": [{"port": 9090}]}]})).await;
    let slices =
        cluster.until_count(scheme::ENDPOINTSLICES, "kubernetes.io/service-name=manual", 1).await;
    assert_eq!(
        (&slices[0]["endpoints"][0]["addresses"][0], &slices[0]["ports"][0]["port"]),
        (&json!("10.255.0.10"), &json!(9090))
    );
    cluster.delete(&key(scheme::ENDPOINTS, "manual"), DeleteOptions::default()).await;
    cluster.until_count(scheme::ENDPOINTSLICES, "", 0).await;
}
