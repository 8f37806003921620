//! Namespaces and what is kept in them: ConfigMaps, Secrets, ServiceAccounts, Events.

use crate::strategy::Map;
use crate::strategy::json::{int_of, map_of, str_at, str_of};
use crate::table::age::{UNKNOWN, since};
use crate::table::column::Column;
use crate::table::row::{Cells, Row};

pub(in crate::table) static NAMESPACE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Status", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static CONFIG_MAP: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Data", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static SECRET: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Type", "string", 0),
    Column::new("Data", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static SERVICE_ACCOUNT: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Secrets", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static EVENT: &[Column] = &[
    Column::new("Last Seen", "string", 0),
    Column::new("Type", "string", 0),
    Column::new("Reason", "string", 0),
    Column::new("Object", "string", 0),
    Column::new("Subobject", "string", 1),
    Column::new("Source", "string", 1),
    Column::new("Message", "string", 0),
    Column::new("First Seen", "string", 1),
    Column::new("Count", "string", 1),
    Column::new("Name", "string", 1),
];

pub(in crate::table) fn namespace(row: &Row) -> Cells {
    vec![row.name(), row.text(&["status", "phase"]), row.age()]
}

pub(in crate::table) fn config_map(row: &Row) -> Cells {
    let count = row.count(&["data"]) + row.count(&["binaryData"]);
    vec![row.name(), count.into(), row.age()]
}

pub(in crate::table) fn secret(row: &Row) -> Cells {
    vec![row.name(), row.text(&["type"]), row.count(&["data"]).into(), row.age()]
}

pub(in crate::table) fn service_account(row: &Row) -> Cells {
    vec![row.name(), row.count(&["secrets"]).into(), row.age()]
}

pub(in crate::table) fn event(row: &Row) -> Cells {
    event_cells(
        row,
        &Names {
            about: "involvedObject",
            source: "source",
            message: "message",
            first: "firstTimestamp",
            last: "lastTimestamp",
            count: "count",
        },
    )
}

pub(in crate::table) fn new_event(row: &Row) -> Cells {
    event_cells(
        row,
        &Names {
            about: "regarding",
            source: "deprecatedSource",
            message: "note",
            first: "deprecatedFirstTimestamp",
            last: "deprecatedLastTimestamp",
            count: "deprecatedCount",
        },
    )
}

/// The names of an event's fields, which differ between its two groups.
struct Names {
    about: &'static str,
    source: &'static str,
    message: &'static str,
    first: &'static str,
    last: &'static str,
    count: &'static str,
}

fn event_cells(row: &Row, names: &Names) -> Cells {
    let event = &row.object;
    let empty = Map::new();
    let about = map_of(event, names.about).unwrap_or(&empty);
    let series = map_of(event, "series");
    let created = str_of(event, "eventTime");
    let or_created = |key: &str| match str_of(event, key) {
        "" => created,
        time => time,
    };
    let last = series.map_or_else(|| or_created(names.last), |s| str_of(s, "lastObservedTime"));
    let count = series.and_then(|s| int_of(s, "count")).or_else(|| int_of(event, names.count));
    let ago = |time: &str| match time {
        "" => UNKNOWN.to_owned(),
        time => since(Some(time), row.now),
    };
    let kind = str_of(about, "kind").to_lowercase();
    let object = match str_of(about, "name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        ago(last).into(),
        row.text(&["type"]),
        row.text(&["reason"]),
        object.into(),
        str_of(about, "fieldPath").into(),
        source(event, names.source).into(),
        str_of(event, names.message).trim().into(),
        ago(or_created(names.first)).into(),
        count.unwrap_or(1).max(1).into(),
        row.name(),
    ]
}

fn source(event: &Map, key: &str) -> String {
    let component = match str_at(event, &[key, "component"]) {
        "" => [str_of(event, "reportingComponent"), str_of(event, "reportingController")].concat(),
        component => component.to_owned(),
    };
    let host = match str_at(event, &[key, "host"]) {
        "" => str_of(event, "reportingInstance"),
        host => host,
    };
    if host.is_empty() { component } else { format!("{component}, {host}") }
}
