//! Jobs and CronJobs.

use crate::strategy::json::{str_at, value_at};
use crate::table::age::between;
use crate::table::column::Column;
use crate::table::row::{Cells, NONE, Row, yes_no};
use serde_json::Value;

pub(in crate::table) static JOB: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Status", "string", 0),
    Column::new("Completions", "string", 0),
    Column::new("Duration", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("Containers", "string", 1),
    Column::new("Images", "string", 1),
    Column::new("Selector", "string", 1),
];
pub(in crate::table) static CRON_JOB: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Schedule", "string", 0),
    Column::new("Timezone", "string", 0),
    Column::new("Suspend", "string", 0),
    Column::new("Active", "integer", 0),
    Column::new("Last Schedule", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("Containers", "string", 1),
    Column::new("Images", "string", 1),
    Column::new("Selector", "string", 1),
];

pub(in crate::table) fn job(row: &Row) -> Cells {
    let [names, images] = row.containers(&["spec", "template", "spec"]);
    let duration = match str_at(&row.object, &["status", "startTime"]) {
        "" => String::new(),
        start => {
            let end = str_at(&row.object, &["status", "completionTime"]);
            between(start, Some(end).filter(|end| !end.is_empty()), row.now)
        }
    };
    vec![
        row.name(),
        state(row).into(),
        completions(row).into(),
        duration.into(),
        row.age(),
        names,
        images,
        row.selector(&["spec", "selector"]),
    ]
}

fn state(row: &Row) -> &'static str {
    if row.condition("Complete") {
        "Complete"
    } else if row.condition("Failed") {
        "Failed"
    } else if row.is_deleting() {
        "Terminating"
    } else if row.condition("Suspended") {
        "Suspended"
    } else if row.condition("FailureTarget") {
        "FailureTarget"
    } else if row.condition("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(row: &Row) -> String {
    let done = row.int(&["status", "succeeded"]);
    let wanted = value_at(&row.object, &["spec", "completions"]).and_then(Value::as_i64);
    match (wanted, row.int(&["spec", "parallelism"])) {
        (Some(wanted), _) => format!("{done}/{wanted}"),
        (None, parallel) if parallel > 1 => format!("{done}/1 of {parallel}"),
        (None, _) => format!("{done}/1"),
    }
}

pub(in crate::table) fn cron_job(row: &Row) -> Cells {
    let [names, images] = row.containers(&["spec", "jobTemplate", "spec", "template", "spec"]);
    vec![
        row.name(),
        row.text(&["spec", "schedule"]),
        row.text_or(&["spec", "timeZone"], NONE),
        yes_no(value_at(&row.object, &["spec", "suspend"])),
        row.count(&["status", "active"]).into(),
        row.since(&["status", "lastScheduleTime"], NONE),
        row.age(),
        names,
        images,
        row.selector(&["spec", "jobTemplate", "spec", "selector"]),
    ]
}
