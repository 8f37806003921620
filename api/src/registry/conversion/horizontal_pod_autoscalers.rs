//! HorizontalPodAutoscalers: stored in v2; v1 knows a target for the CPU only. All else goes through
//! v1 in annotations, as Kubernetes does it.

use super::Conversion;
use crate::schema::decode;
use crate::strategy::Map;
use serde_json::{Value, json};
use windlass_core::scheme::GroupVersionKind;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const TARGET: &str = "targetCPUUtilizationPercentage";
const CURRENT: &str = "currentCPUUtilizationPercentage";
/// What v1 has no field for: its part of the object, its field there, and its annotation.
const KEPT: [(&str, &str, &str); 3] = [
    ("spec", "behavior", "autoscaling.alpha.kubernetes.io/behavior"),
    ("status", "conditions", "autoscaling.alpha.kubernetes.io/conditions"),
    ("status", "currentMetrics", "autoscaling.alpha.kubernetes.io/current-metrics"),
];
const V2: GroupVersionKind = GroupVersionKind::new("autoscaling", "v2", "HorizontalPodAutoscaler");

pub(super) struct Autoscalers;

impl Conversion for Autoscalers {
    fn to_served(&self, object: &mut Map) {
        let mut others = Vec::new();
        if let Some(spec) = part(object, "spec") {
            for metric in take_list(spec, "metrics") {
                match cpu(&metric, "target") {
                    Some(percent) if !spec.contains_key(TARGET) => {
                        spec.insert(TARGET.into(), percent);
                    }
                    _ => others.push(metric),
                }
            }
        }
        if let Some(status) = part(object, "status")
            && let Some(Value::Array(current)) = status.get("currentMetrics")
            && let Some(percent) = current.iter().find_map(|metric| cpu(metric, "current"))
        {
            status.insert(CURRENT.into(), percent);
        }
        if !others.is_empty() {
            annotations(object).insert(METRICS.into(), Value::Array(others).to_string().into());
        }
        for (within, field, annotation) in KEPT {
            if let Some(value) = part(object, within).and_then(|part| part.shift_remove(field)) {
                annotations(object).insert(annotation.into(), value.to_string().into());
            }
        }
    }

    fn to_stored(&self, object: &mut Map) {
        let mut metrics = match kept(object, "spec", "metrics", METRICS) {
            Some(Value::Array(metrics)) => metrics,
            _ => Vec::new(),
        };
        if let Some(spec) = part(object, "spec") {
            if let Some(percent) = spec.shift_remove(TARGET) {
                let target = json!({"type": "Utilization", "averageUtilization": percent});
                let resource = json!({"name": "cpu", "target": target});
                metrics.insert(0, json!({"type": "Resource", "resource": resource}));
            }
            if !metrics.is_empty() {
                spec.insert("metrics".into(), metrics.into());
            }
        }
        let current = part(object, "status").and_then(|status| status.shift_remove(CURRENT));
        for (within, field, annotation) in KEPT {
            let kept = kept(object, within, field, annotation);
            if let (Some(kept), Some(part)) = (kept, part(object, within)) {
                part.insert(field.into(), kept);
            }
        }
        if let (Some(percent), Some(status)) = (current, part(object, "status"))
            && !status.contains_key("currentMetrics")
        {
            let resource = json!({"name": "cpu", "current": {"averageUtilization": percent}});
            let metric = json!({"type": "Resource", "resource": resource});
            status.insert("currentMetrics".into(), json!([metric]));
        }
    }
}

fn part<'a>(object: &'a mut Map, name: &str) -> Option<&'a mut Map> {
    object.get_mut(name)?.as_object_mut()
}

/// Takes what an annotation kept for a field, if it may stand there: anybody can write annotations.
fn kept(object: &mut Map, within: &str, field: &str, annotation: &str) -> Option<Value> {
    let annotations = part(part(object, "metadata")?, "annotations")?;
    let text = annotations.shift_remove(annotation)?;
    let value: Value = serde_json::from_str(text.as_str()?).ok()?;
    let alone = json!({within: {field: value.clone()}});
    decode::value(&V2, alone).is_ok().then_some(value)
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
