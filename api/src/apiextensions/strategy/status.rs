//! The status: above all, in which versions objects may be stored.

use super::SPEC;
use crate::strategy::Map;
use crate::strategy::json::{is_true, map_mut, map_of, maps_of, str_of, strs_of};
use crate::validation::{Errors, Path};
use serde_json::{Value, json};

/// The status of a new definition.
pub(super) fn begin(object: &mut Map) {
    object.insert("status".into(), json!({}));
    note_storage(object);
}

/// Notes the version of the store as one in which there may be objects.
pub(super) fn note_storage(object: &mut Map) {
    let spec = map_of(object, "spec");
    let storage = spec.and_then(|spec| {
        maps_of(spec, "versions").find(|(_, version)| is_true(version, "storage"))
    });
    let Some(name) = storage.map(|(_, version)| str_of(version, "name").to_owned()) else { return };
    let status = map_mut(object, "status");
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if let Value::Array(stored) = stored
        && !stored.iter().any(|version| *version == *name)
    {
        stored.push(name.into());
    }
}

/// A version in which there may be objects can't go; and that of the store is one of them.
pub(super) fn validate(object: &Map, errors: &mut Errors) {
    let empty = Map::new();
    let part = |name| map_of(object, name).unwrap_or(&empty);
    let (spec, status) = (part("spec"), part("status"));
    let path = Path::new("status");
    let list = path.child("storedVersions");
    let versions: Vec<_> = maps_of(spec, "versions").map(|(_, version)| version).collect();
    for (at, stored) in strs_of(status, "storedVersions") {
        if !versions.iter().any(|version| str_of(version, "name") == stored) {
            let all = SPEC.child("versions");
            let detail = format!(
                "missing from {all}; {stored} was previously a storage version, and must remain in {all} until a storage migration ensures no data remains persisted in {stored} and removes {stored} from {list}"
            );
            errors.invalid(list.index(at), stored, &detail);
        }
    }
    let storage = versions.iter().find(|version| is_true(version, "storage"));
    let storage = storage.map(|version| str_of(version, "name")).unwrap_or_default();
    if !strs_of(status, "storedVersions").any(|(_, stored)| stored == storage) {
        let all: Vec<_> = strs_of(status, "storedVersions").map(|(_, stored)| stored).collect();
        let detail = format!("must have the storage version {storage}");
        errors.invalid(list, all, &detail);
    }
}
