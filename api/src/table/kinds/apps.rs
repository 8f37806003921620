//! Kinds that make pods from a template.

use crate::strategy::json::map_at;
use crate::table::column::Column;
use crate::table::row::{Cells, NONE, Row, labels};

const TEMPLATE: &[&str] = &["spec", "template", "spec"];
const CONTAINERS: Column = Column::new("Containers", "string", 1);
const IMAGES: Column = Column::new("Images", "string", 1);
const SELECTOR: Column = Column::new("Selector", "string", 1);

pub(in crate::table) static DEPLOYMENT: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Ready", "string", 0),
    Column::new("Up-to-date", "string", 0),
    Column::new("Available", "string", 0),
    Column::new("Age", "string", 0),
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
pub(in crate::table) static REPLICAS: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Desired", "integer", 0),
    Column::new("Current", "integer", 0),
    Column::new("Ready", "integer", 0),
    Column::new("Age", "string", 0),
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
pub(in crate::table) static STATEFUL_SET: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Ready", "string", 0),
    Column::new("Age", "string", 0),
    CONTAINERS,
    IMAGES,
];
pub(in crate::table) static DAEMON_SET: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Desired", "integer", 0),
    Column::new("Current", "integer", 0),
    Column::new("Ready", "integer", 0),
    Column::new("Up-to-date", "integer", 0),
    Column::new("Available", "integer", 0),
    Column::new("Node Selector", "string", 0),
    Column::new("Age", "string", 0),
    CONTAINERS,
    IMAGES,
    SELECTOR,
];
pub(in crate::table) static REVISION: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Controller", "string", 0),
    Column::new("Revision", "string", 0),
    Column::new("Age", "string", 0),
];
pub(in crate::table) static POD_TEMPLATE: &[Column] = &[
    Column::new("Name", "string", 0),
    Column::new("Containers", "string", 0),
    Column::new("Images", "string", 0),
    Column::new("Pod Labels", "string", 0),
];

pub(in crate::table) fn deployment(row: &Row) -> Cells {
    let [names, images] = row.containers(TEMPLATE);
    let ready = row.int(&["status", "readyReplicas"]);
    vec![
        row.name(),
        format!("{ready}/{}", row.int(&["spec", "replicas"])).into(),
        row.int(&["status", "updatedReplicas"]).into(),
        row.int(&["status", "availableReplicas"]).into(),
        row.age(),
        names,
        images,
        row.selector(&["spec", "selector"]),
    ]
}

pub(in crate::table) fn replica_set(row: &Row) -> Cells {
    let mut cells = replicas(row);
    cells.push(row.selector(&["spec", "selector"]));
    cells
}

pub(in crate::table) fn replication_controller(row: &Row) -> Cells {
    let mut cells = replicas(row);
    cells.push(labels(row.map(&["spec", "selector"])));
    cells
}

fn replicas(row: &Row) -> Cells {
    let [names, images] = row.containers(TEMPLATE);
    vec![
        row.name(),
        row.int(&["spec", "replicas"]).into(),
        row.int(&["status", "replicas"]).into(),
        row.int(&["status", "readyReplicas"]).into(),
        row.age(),
        names,
        images,
    ]
}

pub(in crate::table) fn stateful_set(row: &Row) -> Cells {
    let [names, images] = row.containers(TEMPLATE);
    let ready = row.int(&["status", "readyReplicas"]);
    let ready = format!("{ready}/{}", row.int(&["spec", "replicas"]));
    vec![row.name(), ready.into(), row.age(), names, images]
}

pub(in crate::table) fn daemon_set(row: &Row) -> Cells {
    let [names, images] = row.containers(TEMPLATE);
    let status = |key| row.int(&["status", key]).into();
    vec![
        row.name(),
        status("desiredNumberScheduled"),
        status("currentNumberScheduled"),
        status("numberReady"),
        status("updatedNumberScheduled"),
        status("numberAvailable"),
        labels(row.map(&["spec", "template", "spec", "nodeSelector"])),
        row.age(),
        names,
        images,
        row.selector(&["spec", "selector"]),
    ]
}

pub(in crate::table) fn revision(row: &Row) -> Cells {
    let owner = crate::strategy::json::map_of(&row.object, "metadata")
        .into_iter()
        .flat_map(|meta| crate::strategy::json::maps_of(meta, "ownerReferences"))
        .find(|(_, owner)| crate::strategy::json::is_true(owner, "controller"));
    let controller = owner.map_or_else(|| NONE.to_owned(), |(_, owner)| controller(owner));
    vec![row.name(), controller.into(), row.int(&["revision"]).into(), row.age()]
}

/// `statefulset.apps/db`.
fn controller(owner: &crate::strategy::Map) -> String {
    use crate::strategy::json::str_of;
    let kind = str_of(owner, "kind").to_lowercase();
    match str_of(owner, "apiVersion").split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{}", str_of(owner, "name")),
        None => format!("{kind}/{}", str_of(owner, "name")),
    }
}

pub(in crate::table) fn pod_template(row: &Row) -> Cells {
    let [names, images] = row.containers(&["template", "spec"]);
    let found = map_at(&row.object, &["template", "metadata", "labels"]);
    vec![row.name(), names, images, labels(found)]
}
