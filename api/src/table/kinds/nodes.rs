//! Nodes, Leases and RuntimeClasses.

use crate::strategy::json::{map_at, map_of, maps_of, str_of};
use crate::table::column::Column;
use crate::table::row::{Cells, NONE, Row};

const ROLE: &str = "node-role.kubernetes.io/";

pub(in crate::table) static NODE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Status", "string", 0),
    Column::new("Roles", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("Version", "string", 0),
    Column::new("Internal-IP", "string", 1),
    Column::new("External-IP", "string", 1),
    Column::new("OS-Image", "string", 1),
    Column::new("Kernel-Version", "string", 1),
    Column::new("Container-Runtime", "string", 1),
];
pub(in crate::table) static LEASE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Holder", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static RUNTIME_CLASS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Handler", "string", 0),
    Column::new("Age", "string", 0),
];

pub(in crate::table) fn node(row: &Row) -> Cells {
    let info = |key| row.text_or(&["status", "nodeInfo", key], "<unknown>");
    vec![
        row.name(),
        state(row).into(),
        roles(row).into(),
        row.age(),
        row.text(&["status", "nodeInfo", "kubeletVersion"]),
        address(row, "InternalIP").into(),
        address(row, "ExternalIP").into(),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}

fn state(row: &Row) -> String {
    let status = map_of(&row.object, "status");
    let mut conditions = status.into_iter().flat_map(|status| maps_of(status, "conditions"));
    let ready = conditions.find(|(_, condition)| str_of(condition, "type") == "Ready");
    let mut words = vec![match ready {
        None => "Unknown",
        Some((_, condition)) if str_of(condition, "status") == "True" => "Ready",
        Some(_) => "NotReady",
    }];
    let spec = map_of(&row.object, "spec");
    if spec.is_some_and(|spec| crate::strategy::json::is_true(spec, "unschedulable")) {
        words.push("SchedulingDisabled");
    }
    words.join(",")
}

fn roles(row: &Row) -> String {
    let labels = map_at(&row.object, &["metadata", "labels"]);
    let role = |(key, value): (&String, &serde_json::Value)| match key.strip_prefix(ROLE) {
        Some(role) if !role.is_empty() => Some(role.to_owned()),
        _ if key == "kubernetes.io/role" => {
            value.as_str().filter(|role| !role.is_empty()).map(str::to_owned)
        }
        _ => None,
    };
    let mut roles: Vec<_> = labels.into_iter().flatten().filter_map(role).collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { NONE.into() } else { roles.join(",") }
}

fn address(row: &Row, kind: &str) -> String {
    let status = map_of(&row.object, "status");
    let mut all = status.into_iter().flat_map(|status| maps_of(status, "addresses"));
    let found = all.find(|(_, address)| str_of(address, "type") == kind);
    found.map_or_else(|| NONE.to_owned(), |(_, address)| str_of(address, "address").to_owned())
}

pub(in crate::table) fn lease(row: &Row) -> Cells {
    vec![row.name(), row.text(&["spec", "holderIdentity"]), row.age()]
}

pub(in crate::table) fn runtime_class(row: &Row) -> Cells {
    vec![row.name(), row.text(&["handler"]), row.age()]
}
