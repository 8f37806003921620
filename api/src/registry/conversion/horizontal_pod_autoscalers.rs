//! HorizontalPodAutoscalers: stored in v2; v1 knows a target for the CPU only. Other metrics go through
//! v1 in an annotation, as Kubernetes does it.

use super::Conversion;
use crate::strategy::Map;
use serde_json::{Value, json};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const TARGET: &str = "targetCPUUtilizationPercentage";
const CURRENT: &str = "currentCPUUtilizationPercentage";

pub(super) struct Autoscalers;

impl Conversion for Autoscalers {
    fn to_served(&self, object: &mut Map) {
        let mut others = Vec::new();
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            for metric in take_list(spec, "metrics") {
                match cpu(&metric, "target") {
                    Some(percent) if !spec.contains_key(TARGET) => {
                        spec.insert(TARGET.into(), percent);
                    }
                    _ => others.push(metric),
                }
            }
            spec.shift_remove("behavior");
        }
        if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
            let current = take_list(status, "currentMetrics");
            if let Some(percent) = current.iter().find_map(|metric| cpu(metric, "current")) {
                status.insert(CURRENT.into(), percent);
            }
            status.shift_remove("conditions");
        }
        if !others.is_empty() {
            annotations(object).insert(METRICS.into(), Value::Array(others).to_string().into());
        }
    }

    fn to_stored(&self, object: &mut Map) {
        let kept = object.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
        let kept = kept.and_then(Value::as_object_mut).and_then(|kept| kept.shift_remove(METRICS));
        let kept = kept.as_ref().and_then(Value::as_str).and_then(|t| serde_json::from_str(t).ok());
        let mut metrics: Vec<Value> = kept.unwrap_or_default();
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            if let Some(percent) = spec.shift_remove(TARGET) {
                let target = json!({"type": "Utilization", "averageUtilization": percent});
                let resource = json!({"name": "cpu", "target": target});
                metrics.insert(0, json!({"type": "Resource", "resource": resource}));
            }
            if !metrics.is_empty() {
                spec.insert("metrics".into(), metrics.into());
            }
        }
        if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut)
            && let Some(percent) = status.shift_remove(CURRENT)
        {
            let resource = json!({"name": "cpu", "current": {"averageUtilization": percent}});
            let metric = json!({"type": "Resource", "resource": resource});
            status.insert("currentMetrics".into(), json!([metric]));
        }
    }
}

fn take_list(map: &mut Map, key: &str) -> Vec<Value> {
    match map.shift_remove(key) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// The percentage of a metric that is about the CPU of all containers.
fn cpu(metric: &Value, side: &str) -> Option<Value> {
    let resource = metric.get("resource").filter(|resource| resource["name"] == "cpu")?;
    resource[side].get("averageUtilization").cloned()
}

fn annotations(object: &mut Map) -> &mut Map {
    let metadata = object.entry("metadata").or_insert_with(|| Map::new().into());
    if !metadata["annotations"].is_object() {
        metadata["annotations"] = Map::new().into();
    }
    metadata["annotations"].as_object_mut().expect("it was just made an object")
}
