//! Who may do what.

use crate::strategy::json::{map_of, maps_of, str_at, str_of};
use crate::table::age::human;
use crate::table::column::Column;
use crate::table::row::{Cells, NONE, Row};

pub(in crate::table) static BINDING: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Role", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("Users", "string", 1),
    Column::new("Groups", "string", 1),
    Column::new("ServiceAccounts", "string", 1),
];
pub(in crate::table) static REQUEST: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("SignerName", "string", 0),
    Column::new("Requestor", "string", 0),
    Column::new("RequestedDuration", "string", 0),
    Column::new("Condition", "string", 0),
];

pub(in crate::table) fn binding(row: &Row) -> Cells {
    let role = |key| str_at(&row.object, &["roleRef", key]);
    let subjects = |kind: &str| {
        let name = |(_, subject): (usize, &crate::strategy::Map)| match str_of(subject, "namespace")
        {
            "" => str_of(subject, "name").to_owned(),
            namespace => format!("{namespace}/{}", str_of(subject, "name")),
        };
        let of = maps_of(&row.object, "subjects").filter(|(_, s)| str_of(s, "kind") == kind);
        of.map(name).collect::<Vec<_>>().join(", ").into()
    };
    vec![
        row.name(),
        format!("{}/{}", role("kind"), role("name")).into(),
        row.age(),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

pub(in crate::table) fn request(row: &Row) -> Cells {
    let duration = match row.int(&["spec", "expirationSeconds"]) {
        0 => NONE.to_owned(),
        seconds => human(seconds),
    };
    vec![
        row.name(),
        row.age(),
        row.text_or(&["spec", "signerName"], NONE),
        row.text(&["spec", "username"]),
        duration.into(),
        condition(row).into(),
    ]
}

fn condition(row: &Row) -> String {
    let status = map_of(&row.object, "status");
    let types: Vec<_> = status
        .into_iter()
        .flat_map(|status| maps_of(status, "conditions"))
        .map(|(_, condition)| str_of(condition, "type"))
        .collect();
    let has = |kind: &&str| types.contains(kind);
    let mut words: Vec<_> = ["Denied", "Approved"].into_iter().filter(has).take(1).collect();
    if words.is_empty() {
        words.push("Pending");
    }
    if has(&"Failed") {
        words.push("Failed");
    }
    if status.is_some_and(|status| !str_of(status, "certificate").is_empty()) {
        words.push("Issued");
    }
    words.join(",")
}
