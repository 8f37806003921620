//! What a write that is no apply does to the owners.

use super::{Differences, FieldSet, Managed, Manager, Operation, Written};
use crate::apiextensions::schema::StructuralSchema;
use crate::strategy::Map;
use crate::strategy::json::{list_of, map_of};
use jiff::Timestamp;
use serde_json::Value;
use windlass_core::scheme::{GroupVersionKind, Scheme};

/// What the server fills in, or what names the object: nobody owns it.
const SYSTEM: [&[&str]; 12] = [
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
    &["metadata", "deletionTimestamp"],
];

/// A write that is no apply.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The kind.
    pub gvk: &'a GroupVersionKind,
    /// The object before; `None` on create.
    pub old: Option<&'a Map>,
    /// Who writes: the field manager, or the first part of the user agent.
    pub manager: &'a str,
    /// The subresource written through, or empty.
    pub subresource: &'a str,
    /// The time to note.
    pub now: Timestamp,
    /// What is known of a kind that a user defined.
    pub custom: Option<Custom<'a>>,
}

/// What is known of a kind that a user defined.
#[derive(Clone, Copy, Debug)]
pub struct Custom<'a> {
    /// Its schema; without one, objects are owned key by key and lists as a whole.
    pub schema: Option<&'a StructuralSchema>,
    /// Whether its status is written through a path of its own.
    pub has_status: bool,
}

/// Notes in `new` that this manager set what differs from the old object.
///
/// A writer may send entries of his own, and they are taken; `[{}]` clears them; one that leaves them out
/// keeps those that are there. Objects that lost all their entries are not tracked until they are applied.
pub fn update(new: &mut Map, request: &Update<'_>) {
    let Some(mut managed) = starting_point(new, request) else {
        Managed::default().write(new);
        return;
    };
    if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    let nothing = Map::new();
    let Update { gvk, custom, subresource, .. } = *request;
    let written = Written { gvk, custom, subresource };
    let differences = written.differences(request.old.unwrap_or(&nothing), new, &managed);
    let me = Manager {
        name: request.manager.into(),
        operation: Operation::Update,
        api_version: request.gvk.api_version(),
        subresource: request.subresource.into(),
        time: seconds(request.now),
        fields: FieldSet::default(),
    };
    note(&mut managed, me, &differences);
    managed.write(new);
}

/// Moves to a manager what it wrote, and takes from all others what they no longer own.
fn note(managed: &mut Managed, mut me: Manager, differences: &Differences) {
    for other in &mut managed.0 {
        if !other.is_same(&me) {
            let seen = differences.seen_by(other);
            other.fields = other.fields.difference(&seen.written()).difference(&seen.removed);
        }
    }
    let difference = &differences.own;
    let written = difference.written();
    let before = managed.entry(&me);
    let mut fields =
        before.map_or_else(FieldSet::default, |me| me.fields.difference(&difference.removed));
    fields.union(written);
    if let Some(before) = before.filter(|before| before.fields == fields && difference.is_empty()) {
        me.time.clone_from(&before.time);
    }
    managed.set(Manager { fields, ..me });
}

/// Takes out of a set what nobody owns, and what is written through another path.
pub(crate) fn strip(set: &mut FieldSet, has_status: bool, subresource: &str) {
    SYSTEM.iter().for_each(|path| set.cut(path));
    match subresource {
        "status" => {
            set.cut(&["spec"]);
        }
        "" if has_status => set.keep("status", false),
        _ => {}
    }
}

pub(crate) fn seconds(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The entries to start from; `None` when this object is not tracked.
fn starting_point(new: &Map, request: &Update<'_>) -> Option<Managed> {
    let metadata = map_of(new, "metadata");
    let entries = metadata.map_or(&[][..], |metadata| list_of(metadata, "managedFields"));
    let reset = matches!(entries, [Value::Object(only)] if only.is_empty());
    let own = if request.subresource.is_empty() { Managed::of(new) } else { None };
    match (request.old, own) {
        (Some(_), _) if reset => None,
        (_, Some(own)) => Some(own),
        (Some(old), None) => Managed::of(old),
        (None, None) => Some(Managed::default()),
    }
}

/// Whether the status of a kind is written through a path of its own.
pub(crate) fn has_status(gvk: &GroupVersionKind, custom: Option<Custom<'_>>) -> bool {
    match custom {
        Some(custom) => custom.has_status,
        None => Scheme::builtin().by_gvk(gvk).is_some_and(|i| i.subresource("status").is_some()),
    }
}

pub(crate) fn schema_of(custom: Option<Custom<'_>>) -> Option<&StructuralSchema> {
    custom.and_then(|custom| custom.schema)
}
