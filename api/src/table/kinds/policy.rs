//! What bounds others: quotas, budgets, autoscalers, priorities, flow control.

use crate::strategy::Map;
use crate::strategy::json::{int_of, map_at, map_of, maps_of, str_at, str_of, value_at};
use crate::table::column::Column;
use crate::table::row::{Cells, NONE, Row, plain};
use serde_json::Value;

const UNKNOWN: &str = "<unknown>";

pub(in crate::table) static QUOTA: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Request", "string", 0),
    Column::new("Limit", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static BUDGET: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Min Available", "string", 0),
    Column::new("Max Unavailable", "string", 0),
    Column::new("Allowed Disruptions", "integer", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static AUTOSCALER: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Reference", "string", 0),
    Column::new("Targets", "string", 0),
    Column::new("MinPods", "string", 0),
    Column::new("MaxPods", "string", 0),
    Column::new("Replicas", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static PRIORITY_CLASS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Value", "integer", 0),
    Column::new("Global-Default", "boolean", 0),
    Column::new("Age", "string", 0),
    Column::new("PreemptionPolicy", "string", 0),
];
pub(in crate::table) static FLOW_SCHEMA: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("PriorityLevel", "string", 0),
    Column::new("MatchingPrecedence", "integer", 0),
    Column::new("DistinguisherMethod", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("MissingPL", "string", 0),
];
pub(in crate::table) static PRIORITY_LEVEL: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Type", "string", 0),
    Column::new("NominalConcurrencyShares", "string", 0),
    Column::new("Queues", "string", 0),
    Column::new("HandSize", "string", 0),
    Column::new("QueueLengthLimit", "string", 0),
    Column::new("Age", "string", 0),
];

pub(in crate::table) fn quota(row: &Row) -> Cells {
    let (hard, used) = (row.map(&["status", "hard"]), row.map(&["status", "used"]));
    let mut names: Vec<_> = hard.into_iter().flat_map(Map::keys).collect();
    names.sort_unstable();
    let text = |name: &&String| {
        let of = |map: Option<&Map>| plain(map.and_then(|map| map.get(*name)), "0");
        format!("{name}: {}/{}", of(used), of(hard))
    };
    let (limits, requests): (Vec<_>, Vec<_>) =
        names.iter().partition(|name| name.starts_with("limits."));
    let join = |names: Vec<&&String>| names.into_iter().map(&text).collect::<Vec<_>>().join(", ");
    vec![row.name(), join(requests).into(), join(limits).into(), row.age()]
}

pub(in crate::table) fn budget(row: &Row) -> Cells {
    let spec = |key| plain(value_at(&row.object, &["spec", key]), "N/A").into();
    vec![
        row.name(),
        spec("minAvailable"),
        spec("maxUnavailable"),
        row.int(&["status", "disruptionsAllowed"]).into(),
        row.age(),
    ]
}

pub(in crate::table) fn autoscaler(row: &Row) -> Cells {
    let target = |key| str_at(&row.object, &["spec", "scaleTargetRef", key]);
    let least = value_at(&row.object, &["spec", "minReplicas"]);
    vec![
        row.name(),
        format!("{}/{}", target("kind"), target("name")).into(),
        targets(row).into(),
        plain(least, "<unset>").into(),
        row.int(&["spec", "maxReplicas"]).into(),
        row.int(&["status", "currentReplicas"]).into(),
        row.age(),
    ]
}

fn targets(row: &Row) -> String {
    let empty = Map::new();
    let (spec, status) =
        (row.map(&["spec"]).unwrap_or(&empty), row.map(&["status"]).unwrap_or(&empty));
    if let Some(percent) = int_of(spec, "targetCPUUtilizationPercentage") {
        let now = int_of(status, "currentCPUUtilizationPercentage");
        let now = now.map_or_else(|| UNKNOWN.to_owned(), |now| format!("{now}%"));
        return format!("cpu: {now}/{percent}%");
    }
    let current: Vec<_> = maps_of(status, "currentMetrics").map(|(_, metric)| metric).collect();
    let all: Vec<_> = maps_of(spec, "metrics")
        .map(|(at, metric)| target(metric, current.get(at).copied()))
        .collect();
    match all.as_slice() {
        [] => NONE.into(),
        [first, second, more @ ..] if !more.is_empty() => {
            format!("{first}, {second} + {} more...", more.len())
        }
        _ => all.join(", "),
    }
}

/// One metric: what it is now, and what it should be.
fn target(metric: &Map, current: Option<&Map>) -> String {
    let key = match str_of(metric, "type") {
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        "Pods" => "pods",
        "Object" => "object",
        "External" => "external",
        _ => return "<unknown type>".into(),
    };
    let wanted = map_at(metric, &[key, "target"]);
    let now = current.and_then(|current| map_at(current, &[key, "current"]));
    let name = str_at(metric, &[key, "name"]);
    let read = |from: Option<&Map>| {
        let from = from?;
        if let Some(percent) = int_of(from, "averageUtilization") {
            return Some(format!("{percent}%"));
        }
        let value = from.get("averageValue").or_else(|| from.get("value"))?;
        Some(plain(Some(value), UNKNOWN))
    };
    let values = format!(
        "{}/{}",
        read(now).unwrap_or_else(|| UNKNOWN.into()),
        read(wanted).unwrap_or_else(|| UNKNOWN.into())
    );
    if name.is_empty() { values } else { format!("{name}: {values}") }
}

pub(in crate::table) fn priority_class(row: &Row) -> Cells {
    let default = row.object.get("globalDefault").and_then(Value::as_bool).unwrap_or(false);
    vec![
        row.name(),
        row.int(&["value"]).into(),
        default.into(),
        row.age(),
        row.text(&["preemptionPolicy"]),
    ]
}

pub(in crate::table) fn flow_schema(row: &Row) -> Cells {
    let status = map_of(&row.object, "status");
    let mut all = status.into_iter().flat_map(|status| maps_of(status, "conditions"));
    let dangling = all.find(|(_, condition)| str_of(condition, "type") == "Dangling");
    let missing = dangling.map_or("?", |(_, condition)| str_of(condition, "status"));
    vec![
        row.name(),
        row.text(&["spec", "priorityLevelConfiguration", "name"]),
        row.int(&["spec", "matchingPrecedence"]).into(),
        row.text_or(&["spec", "distinguisherMethod", "type"], NONE),
        row.age(),
        missing.into(),
    ]
}

pub(in crate::table) fn priority_level(row: &Row) -> Cells {
    let limited = |path: &[&str]| {
        let limited = row.map(&["spec", "limited"]);
        plain(limited.and_then(|limited| value_at(limited, path)), NONE).into()
    };
    let queuing = |key| limited(&["limitResponse", "queuing", key]);
    vec![
        row.name(),
        row.text(&["spec", "type"]),
        limited(&["nominalConcurrencyShares"]),
        queuing("queues"),
        queuing("handSize"),
        queuing("queueLengthLimit"),
        row.age(),
    ]
}
