//! NodeMetrics and PodMetrics.

use super::rates::Usage;
use super::{GROUP, VERSION};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::Status;

/// What a node uses.
pub(super) fn node(node: &Object, used: Usage) -> Result<Arc<Object>, Status> {
    object("NodeMetrics", node, used, ("usage", amounts(&used)))
}

/// What a pod uses. The time is that of the container that was looked at first.
pub(super) fn pod(pod: &Object, used: &BTreeMap<&str, Usage>) -> Result<Arc<Object>, Status> {
    let nothing = || Status::internal("a pod without containers");
    let first = used.values().min_by_key(|usage| usage.at).copied().ok_or_else(nothing)?;
    let containers = used.iter().map(|(name, used)| json!({"name": name, "usage": amounts(used)}));
    object("PodMetrics", pod, first, ("containers", containers.collect()))
}

fn object(
    kind: &str,
    of: &Object,
    used: Usage,
    (field, value): (&str, Value),
) -> Result<Arc<Object>, Status> {
    let header = of.header();
    let at = Timestamp::from_millisecond(used.at).unwrap_or_default();
    let at = format!("{at:.0}");
    let mut metadata = json!({"name": of.name(), "creationTimestamp": at});
    if !of.namespace().is_empty() {
        metadata["namespace"] = of.namespace().into();
    }
    let labels: serde_json::Map<_, _> =
        header.labels.iter().map(|(key, value)| (key.to_string(), json!(&**value))).collect();
    if !labels.is_empty() {
        metadata["labels"] = labels.into();
    }
    let api_version = format!("{GROUP}/{VERSION}");
    let object = json!({
        "kind": kind, "apiVersion": api_version, "metadata": metadata,
        "timestamp": at, "window": duration(used.window), field: value,
    });
    let object = Object::from_wire(object.to_string().into()).map_err(Status::internal)?;
    Ok(Arc::new(object))
}

fn amounts(used: &Usage) -> Value {
    json!({"cpu": format!("{}n", used.cpu), "memory": format!("{}Ki", used.memory / 1024)})
}

/// As Go writes durations: `15.2s`, `1m0.5s`.
fn duration(millis: i64) -> String {
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let seconds = format!("{}", rest as f64 / 1000.0);
    let hours = minutes / 60;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{}m{seconds}s", minutes % 60),
    }
}
