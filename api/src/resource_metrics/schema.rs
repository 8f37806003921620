//! What is published of the two kinds, for `kubectl explain` and for validation.

use serde_json::{Value, json};

const QUANTITIES: &str = "What is used, by resource: `cpu`, `memory`.";

/// Of NodeMetrics.
pub(super) fn node() -> Value {
    kind("NodeMetrics tells what a node uses.", ("usage", &quantities()))
}

/// Of PodMetrics.
pub(super) fn pod() -> Value {
    let name =
        json!({"type": "string", "description": "The name of the container, as the pod has it."});
    let containers = json!({
        "type": "array", "description": "What each container uses.",
        "items": {"type": "object", "required": ["name", "usage"],
            "properties": {"name": name, "usage": quantities()}},
    });
    kind("PodMetrics tells what the containers of a pod use.", ("containers", &containers))
}

fn kind(description: &str, (field, of): (&str, &Value)) -> Value {
    let at = "The end of the stretch of time the figures are of.";
    let window = "How long the stretch was, as Go writes durations.";
    json!({
        "type": "object", "description": description, "required": ["timestamp", "window", field],
        "properties": {
            "timestamp": {"type": "string", "format": "date-time", "description": at},
            "window": {"type": "string", "description": window},
            field: of,
        },
    })
}

fn quantities() -> Value {
    json!({
        "type": "object", "description": QUANTITIES,
        "additionalProperties": {"type": "string", "description": "An amount, as `250m` or `1Mi`."},
    })
}
