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

#[tokio::test(start_paused = true)]
async fn the_record_of_addresses_is_repaired() {
    let cluster =
        Cluster::start(&["service-ip-repair-controller", "service-cidr-controller"]).await;
    let service = json!({"metadata": {"name": "svc"}, "spec": {"ports": [{"port": 80}]}});
    let service = cluster.create(scheme::SERVICES, service).await;
    let ip = service["spec"]["clusterIP"].as_str().unwrap();
    let recorded = |all: &[Value]| all.iter().any(|one| one["metadata"]["name"] == ip);
    cluster.until("recorded", scheme::IPADDRESSES, "", recorded).await;
    cluster.delete(&key(scheme::IPADDRESSES, ip), DeleteOptions::default()).await;
    cluster.until("repaired", scheme::IPADDRESSES, "", recorded).await;
    let stray = json!({"metadata": {"name": "10.96.255.254", "labels": {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}},
        "spec": {"parentRef": {"resource": "services", "namespace": "ns", "name": "none"}}});
    cluster.create(scheme::IPADDRESSES, stray).await;
    cluster.until_count(scheme::IPADDRESSES, "", 1).await;
    cluster
        .create(
            scheme::SERVICECIDRS,
            json!({"metadata": {"name": "range"}, "spec": {"cidrs": ["10.96.0.0/16"]}}),
        )
        .await;
    cluster
        .until("ready", scheme::SERVICECIDRS, "", |all| {
            all.iter().all(|one| one["status"]["conditions"][0]["status"] == "True")
        })
        .await;
    cluster.delete(&key(scheme::SERVICECIDRS, "range"), DeleteOptions::default()).await;
    cluster.pass(60).await;
    assert_eq!(cluster.list(scheme::SERVICECIDRS, "").await.len(), 1, "an address of it is in use");
    cluster.delete(&key(scheme::SERVICES, "svc"), DeleteOptions::default()).await;
    cluster.until_count(scheme::SERVICECIDRS, "", 0).await;
}

#[tokio::test(start_paused = true)]
async fn endpoints_say_for_whom_they_are() {
    let cluster = cluster().await;
    cluster
        .patch(
            &key(scheme::NODES, "n"),
            json!({"metadata": {"labels": {"topology.kubernetes.io/zone": "z"}}}),
        )
        .await;
    let spec = json!({"selector": {"app": "a"}, "trafficDistribution": "PreferClose", "ports": [{"port": 80}]});
    cluster.create(scheme::SERVICES, json!({"metadata": {"name": "svc"}, "spec": spec})).await;
    cluster.create(scheme::PODS, pod("p")).await;
    cluster.patch(&key(scheme::PODS, "p").subresource("status"), status("True")).await;
    let slices = cluster
        .until("hints", scheme::ENDPOINTSLICES, "", |all| {
            all.len() == 1 && all[0]["endpoints"][0]["hints"]["forZones"][0]["name"] == "z"
        })
        .await;
    assert!(
        slices[0]["metadata"]["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"]
            .is_string()
    );
}
