//! Workloads that grow and shrink with what they use.

use crate::cluster::{Cluster, NS, key, workload};
use serde_json::{Value, json};
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme::{self, GroupVersionResource};

const METRICS: GroupVersionResource =
    GroupVersionResource::new("metrics.k8s.io", "v1beta1", "pods");

/// A metrics API: here its objects are written by hand.
async fn metrics_api(cluster: &Cluster) {
    let anything = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let definition = json!({"metadata": {"name": "pods.metrics.k8s.io", "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}},
        "spec": {"group": "metrics.k8s.io", "scope": "Namespaced",
            "names": {"plural": "pods", "singular": "pod", "kind": "PodMetrics", "listKind": "PodMetricsList"},
            "versions": [{"name": "v1beta1", "served": true, "storage": true, "schema": anything}]}});
    cluster.create(scheme::CUSTOMRESOURCEDEFINITIONS, definition).await;
    cluster
        .until("established", scheme::CUSTOMRESOURCEDEFINITIONS, "", |all| {
            let conditions = all[0]["status"]["conditions"].as_array();
            conditions.is_some_and(|all| {
                all.iter().any(|one| one["type"] == "Established" && one["status"] == "True")
            })
        })
        .await;
}

async fn uses(cluster: &Cluster, pods: &[Value], cpu: &str) {
    for pod in pods {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let body = json!({"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
            "metadata": {"name": name, "labels": {"app": "web"}}, "timestamp": "2026-02-01T00:00:00Z", "window": "30s",
            "containers": [{"name": "c", "usage": {"cpu": cpu}}]});
        let key = Key::new(METRICS, NS, name);
        if cluster.client.create_from(&key, &body).await.is_err() {
            cluster.patch(&key, body).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_grows_with_its_load_and_shrinks_when_it_is_over() {
    let all =
        ["deployment-controller", "replicaset-controller", "horizontal-pod-autoscaler-controller"];
    let cluster = Cluster::start(&all).await;
    metrics_api(&cluster).await;
    cluster.run_pods();
    let mut web = workload("web", json!({"replicas": 2}));
    web["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": "100m"}});
    cluster.create(scheme::DEPLOYMENTS, web).await;
    let pods = cluster.until_count(scheme::PODS, "app=web", 2).await;
    uses(&cluster, &pods, "100m").await;
    let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
    let spec = json!({"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 5,
        "metrics": [metric]});
    let autoscaler = json!({"metadata": {"name": "web"}, "spec": spec});
    cluster.create(scheme::HORIZONTALPODAUTOSCALERS, autoscaler).await;
    let pods = cluster.until_count(scheme::PODS, "app=web", 4).await;
    uses(&cluster, &pods, "5m").await;
    cluster.pass(120).await;
    assert_eq!(cluster.list(scheme::PODS, "app=web").await.len(), 4, "not at once");
    cluster.until_count(scheme::PODS, "app=web", 1).await;
    let told = cluster
        .until("told", scheme::HORIZONTALPODAUTOSCALERS, "", |all| {
            all[0]["status"]["currentReplicas"] == 1
        })
        .await;
    let status = &told[0]["status"];
    assert_eq!(status["currentMetrics"][0]["resource"]["current"]["averageUtilization"], 5);
    let events = cluster.list(scheme::EVENTS, "").await;
    assert!(
        events.iter().any(|event| event["reason"] == "SuccessfulRescale"
            && event["message"] == "New size: 4; reason: cpu resource utilization (percentage of request) above target"),
        "{events:#?}"
    );
    cluster.delete(&key(scheme::DEPLOYMENTS, "web"), Default::default()).await;
    cluster
        .until("no scale", scheme::HORIZONTALPODAUTOSCALERS, "", |all| {
            let conditions = all[0]["status"]["conditions"].as_array().unwrap();
            conditions
                .iter()
                .any(|one| one["type"] == "AbleToScale" && one["reason"] == "FailedGetScale")
        })
        .await;
}
