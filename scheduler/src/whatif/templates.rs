//! The pods that a workload would make.

use crate::PodInfo;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use windlass_core::{Object, Result};

/// The pods of an object: itself when it is a Pod, otherwise those that its controller would make of its template
/// (`replicas`, or `parallelism` of a Job; one where nothing is said). None for what makes no pods, and for a DaemonSet, whose
/// pods depend on the nodes.
///
/// # Errors
/// When its pods can't be read.
pub fn pods_of(object: &Value) -> Result<Vec<Arc<PodInfo>>> {
    let (count, template) = match object["kind"].as_str().unwrap_or_default() {
        "Pod" => return Ok(vec![pod(object, name(object), object)?]),
        "Deployment" | "ReplicaSet" | "StatefulSet" | "ReplicationController" => {
            (object["spec"]["replicas"].as_u64(), &object["spec"]["template"])
        }
        "Job" => (object["spec"]["parallelism"].as_u64(), &object["spec"]["template"]),
        "CronJob" => {
            let job = &object["spec"]["jobTemplate"]["spec"];
            (job["parallelism"].as_u64(), &job["template"])
        }
        _ => return Ok(Vec::new()),
    };
    let made = |n: u64| pod(object, &format!("{}-{n}", name(object)), template);
    (0..count.unwrap_or(1)).map(made).collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or("pod")
}

fn pod(owner: &Value, name: &str, template: &Value) -> Result<Arc<PodInfo>> {
    let namespace = owner["metadata"]["namespace"].as_str().unwrap_or("default");
    let mut metadata = Map::new();
    metadata.insert("name".into(), name.into());
    metadata.insert("namespace".into(), namespace.into());
    let kind = owner["kind"].as_str().unwrap_or_default().to_lowercase();
    metadata.insert("uid".into(), format!("{kind}/{namespace}/{name}").into());
    metadata.insert("labels".into(), template["metadata"]["labels"].clone());
    if metadata["labels"].is_null() {
        metadata.remove("labels");
    }
    let mut spec = template["spec"].clone();
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("nodeName");
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    Ok(Arc::new(PodInfo::new(&Object::from_wire(pod.to_string().into())?)?))
}
