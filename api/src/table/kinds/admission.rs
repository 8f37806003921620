//! What takes part in admission, and other servers behind this one.

use crate::strategy::json::{map_of, maps_of, str_of};
use crate::table::column::Column;
use crate::table::row::{Cells, Row};

const UNSET: &str = "<unset>";

pub(in crate::table) static WEBHOOKS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Webhooks", "integer", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static POLICY: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Validations", "integer", 0),
    Column::new("ParamKind", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static MUTATING_POLICY: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Mutations", "integer", 0),
    Column::new("ParamKind", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static POLICY_BINDING: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("PolicyName", "string", 0),
    Column::new("ParamRef", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static API_SERVICE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Service", "string", 0),
    Column::new("Available", "string", 0),
    Column::new("Age", "string", 0),
];

pub(in crate::table) fn webhooks(row: &Row) -> Cells {
    vec![row.name(), row.count(&["webhooks"]).into(), row.age()]
}

pub(in crate::table) fn policy(row: &Row) -> Cells {
    vec![row.name(), row.count(&["spec", "validations"]).into(), kind(row).into(), row.age()]
}

pub(in crate::table) fn mutating_policy(row: &Row) -> Cells {
    vec![row.name(), row.count(&["spec", "mutations"]).into(), kind(row).into(), row.age()]
}

fn kind(row: &Row) -> String {
    row.map(&["spec", "paramKind"]).map_or_else(
        || UNSET.to_owned(),
        |kind| format!("{}/{}", str_of(kind, "apiVersion"), str_of(kind, "kind")),
    )
}

pub(in crate::table) fn policy_binding(row: &Row) -> Cells {
    let parameters = row.map(&["spec", "paramRef"]).map_or_else(
        || UNSET.to_owned(),
        |reference| match (str_of(reference, "namespace"), str_of(reference, "name")) {
            (_, "") => "*".to_owned(),
            ("", name) => format!("*/{name}"),
            (namespace, name) => format!("{namespace}/{name}"),
        },
    );
    vec![row.name(), row.text(&["spec", "policyName"]), parameters.into(), row.age()]
}

pub(in crate::table) fn api_service(row: &Row) -> Cells {
    let service = row.map(&["spec", "service"]).map_or_else(
        || "Local".to_owned(),
        |service| format!("{}/{}", str_of(service, "namespace"), str_of(service, "name")),
    );
    vec![row.name(), service.into(), available(row).into(), row.age()]
}

fn available(row: &Row) -> String {
    let status = map_of(&row.object, "status");
    let mut all = status.into_iter().flat_map(|status| maps_of(status, "conditions"));
    match all.find(|(_, condition)| str_of(condition, "type") == "Available") {
        None => "Unknown".into(),
        Some((_, condition)) => match (str_of(condition, "status"), str_of(condition, "reason")) {
            ("True", _) => "True".into(),
            (status, reason) => format!("{status} ({reason})"),
        },
    }
}
