//! Nodes and pods for tests, in a few words.

use crate::{NodeInfo, PodInfo};
use serde_json::json;
use std::sync::Arc;
use windlass_core::Object;

pub(crate) fn node(name: &str, cpu: &str, labels: &[(&str, &str)]) -> NodeInfo {
    let labels: serde_json::Map<_, _> =
        labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect();
    let allocatable = json!({"cpu": cpu, "memory": "8Gi", "pods": "110"});
    let json = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": allocatable}});
    NodeInfo::new(&Object::from_wire(json.to_string().into()).expect("an object")).expect("a node")
}

pub(crate) fn pod(name: &str, cpu: &str) -> PodInfo {
    pod_with(name, json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}))
}

pub(crate) fn pod_with(name: &str, spec: serde_json::Value) -> PodInfo {
    PodInfo::new(&pod_object(name, spec)).expect("a pod")
}

pub(crate) fn pod_object(name: &str, spec: serde_json::Value) -> Arc<Object> {
    let metadata = json!({"name": name, "namespace": "default", "uid": name});
    let json = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    Arc::new(Object::from_wire(json.to_string().into()).expect("an object"))
}

impl PodInfo {
    pub(crate) fn on(mut self, node: &str) -> Self {
        self.node_name = node.into();
        self
    }
}
