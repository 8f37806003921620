//! Volumes and where they come from.

use crate::strategy::Map;
use crate::strategy::json::{is_true, map_at, map_of, maps_of, str_at, str_of, value_at};
use crate::table::column::Column;
use crate::table::row::{Cells, Row, access_modes, plain};
use serde_json::Value;

const UNSET: &str = "<unset>";
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

pub(in crate::table) static VOLUME: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Capacity", "string", 0),
    Column::new("Access Modes", "string", 0),
    Column::new("Reclaim Policy", "string", 0),
    Column::new("Status", "string", 0),
    Column::new("Claim", "string", 0),
    Column::new("StorageClass", "string", 0),
    Column::new("VolumeAttributesClass", "string", 0),
    Column::new("Reason", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("VolumeMode", "string", 1),
];
pub(in crate::table) static CLAIM: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Status", "string", 0),
    Column::new("Volume", "string", 0),
    Column::new("Capacity", "string", 0),
    Column::new("Access Modes", "string", 0),
    Column::new("StorageClass", "string", 0),
    Column::new("VolumeAttributesClass", "string", 0),
    Column::new("Age", "string", 0),
    Column::new("VolumeMode", "string", 1),
];
pub(in crate::table) static CLASS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Provisioner", "string", 0),
    Column::new("ReclaimPolicy", "string", 0),
    Column::new("VolumeBindingMode", "string", 0),
    Column::new("AllowVolumeExpansion", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static ATTACHMENT: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Attacher", "string", 0),
    Column::new("PV", "string", 0),
    Column::new("Node", "string", 0),
    Column::new("Attached", "boolean", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static DRIVER: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("AttachRequired", "boolean", 0),
    Column::new("PodInfoOnMount", "boolean", 0),
    Column::new("StorageCapacity", "boolean", 0),
    Column::new("TokenRequests", "string", 0),
    Column::new("RequiresRepublish", "boolean", 0),
    Column::new("Modes", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static NODE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Drivers", "integer", 0),
    Column::new("Age", "string", 0),
];

pub(in crate::table) fn volume(row: &Row) -> Cells {
    let empty = Map::new();
    let spec = map_of(&row.object, "spec").unwrap_or(&empty);
    let claim = map_of(spec, "claimRef").map_or_else(String::new, |claim| {
        format!("{}/{}", str_of(claim, "namespace"), str_of(claim, "name"))
    });
    vec![
        row.name(),
        plain(value_at(spec, &["capacity", "storage"]), "").into(),
        access_modes(spec).into(),
        str_of(spec, "persistentVolumeReclaimPolicy").into(),
        state(row),
        claim.into(),
        str_of(spec, "storageClassName").into(),
        row.text_or(&["spec", "volumeAttributesClassName"], UNSET),
        row.text(&["status", "reason"]),
        row.age(),
        row.text_or(&["spec", "volumeMode"], UNSET),
    ]
}

pub(in crate::table) fn claim(row: &Row) -> Cells {
    let empty = Map::new();
    let status = map_of(&row.object, "status").unwrap_or(&empty);
    let bound = !str_at(&row.object, &["spec", "volumeName"]).is_empty();
    let (capacity, modes) = match bound {
        true => (plain(value_at(status, &["capacity", "storage"]), ""), access_modes(status)),
        false => (String::new(), String::new()),
    };
    vec![
        row.name(),
        state(row),
        row.text(&["spec", "volumeName"]),
        capacity.into(),
        modes.into(),
        row.text(&["spec", "storageClassName"]),
        row.text_or(&["spec", "volumeAttributesClassName"], UNSET),
        row.age(),
        row.text_or(&["spec", "volumeMode"], UNSET),
    ]
}

fn state(row: &Row) -> Value {
    if row.is_deleting() { "Terminating".into() } else { row.text(&["status", "phase"]) }
}

pub(in crate::table) fn class(row: &Row) -> Cells {
    let annotations = map_at(&row.object, &["metadata", "annotations"]);
    let default = annotations.is_some_and(|annotations| str_of(annotations, DEFAULT) == "true");
    let name = str_at(&row.object, &["metadata", "name"]);
    let name = if default { format!("{name} (default)") } else { name.to_owned() };
    vec![
        name.into(),
        row.text(&["provisioner"]),
        row.text_or(&["reclaimPolicy"], "Delete"),
        row.text_or(&["volumeBindingMode"], "Immediate"),
        is_true(&row.object, "allowVolumeExpansion").into(),
        row.age(),
    ]
}

pub(in crate::table) fn attachment(row: &Row) -> Cells {
    let attached = map_of(&row.object, "status").is_some_and(|status| is_true(status, "attached"));
    vec![
        row.name(),
        row.text(&["spec", "attacher"]),
        row.text(&["spec", "source", "persistentVolumeName"]),
        row.text(&["spec", "nodeName"]),
        attached.into(),
        row.age(),
    ]
}

pub(in crate::table) fn driver(row: &Row) -> Cells {
    let empty = Map::new();
    let spec = map_of(&row.object, "spec").unwrap_or(&empty);
    let flag = |key, missing| spec.get(key).and_then(Value::as_bool).unwrap_or(missing).into();
    let audiences: Vec<_> =
        maps_of(spec, "tokenRequests").map(|(_, request)| str_of(request, "audience")).collect();
    let modes: Vec<_> =
        crate::strategy::json::strs_of(spec, "volumeLifecycleModes").map(|m| m.1).collect();
    let or_unset = |text: String| if text.is_empty() { UNSET.to_owned() } else { text };
    vec![
        row.name(),
        flag("attachRequired", true),
        flag("podInfoOnMount", false),
        flag("storageCapacity", false),
        or_unset(audiences.join(",")).into(),
        flag("requiresRepublish", false),
        if modes.is_empty() { "<none>".into() } else { modes.join(",").into() },
        row.age(),
    ]
}

pub(in crate::table) fn node(row: &Row) -> Cells {
    vec![row.name(), row.count(&["spec", "drivers"]).into(), row.age()]
}
