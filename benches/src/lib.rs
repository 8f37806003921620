//! What the benches and load generators share.

#[cfg(feature = "cluster")]
mod nodes;
mod pace;
mod report;
mod usage;
pub mod wire;
pub mod workload;

#[cfg(feature = "cluster")]
pub use nodes::add_node;
pub use pace::{Numbers, at_rate};
pub use report::{micros, report};
pub use usage::Process;

use bytes::Bytes;
use serde_json::json;
use std::error::Error;

/// What a load generator fails with.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A ConfigMap of about 1 KiB.
#[must_use]
pub fn config_map(name: &str) -> Bytes {
    let metadata = json!({"name": name, "namespace": "default"});
    let data = json!({"key": "x".repeat(900)});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        .to_string()
        .into()
}

/// A running pod of the usual size, some 2.6 kB, in stored form.
#[must_use]
pub fn pod(name: &str, node: &str) -> Bytes {
    let container = json!({
        "name": "web", "image": "registry.example/team/web:1.2.3", "imagePullPolicy": "IfNotPresent",
        "env": (0..8).map(|n| json!({"name": format!("VARIABLE_{n}"), "value": "a value of some length"})).collect::<Vec<_>>(),
        "ports": [{"containerPort": 8080, "protocol": "TCP", "name": "http"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "volumeMounts": [{"name": "kube-api-access-abcde", "readOnly": true,
            "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
    });
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": format!("00000000-0000-4000-8000-{name:0>12}"),
            "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8c7b9",
                "uid": "11111111-1111-4111-8111-111111111111", "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"nodeName": node, "containers": [container], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30,
            "volumes": [{"name": "kube-api-access-abcde", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}]},
        "status": {"phase": "Running", "podIP": "10.244.1.7", "hostIP": "10.0.0.7", "startTime": "2026-01-01T00:00:00Z",
            "conditions": conditions,
            "containerStatuses": [{"name": "web", "ready": true, "restartCount": 0, "started": true,
                "image": "registry.example/team/web:1.2.3", "containerID": format!("oci://{}", "a".repeat(64)),
                "state": {"running": {"startedAt": "2026-01-01T00:00:01Z"}}}]},
    })
    .to_string()
    .into()
}
