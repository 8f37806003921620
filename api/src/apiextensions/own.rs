//! Kinds that the program brings along of which the server is a part: defined as those of users are, but by no object.

use super::definition::Definition;
use super::names::{self, Taken};
use crate::strategy::json::{map_mut, map_of, str_of};
use crate::strategy::{Map, strategy_for};
use jiff::Timestamp;
use std::fmt::Display;
use windlass_core::Object;
use windlass_core::apis::apiextensions::v1::CustomResourceDefinition;
use windlass_core::meta::Status;
use windlass_core::object::canonical;
use windlass_core::scheme::{CUSTOMRESOURCEDEFINITIONS, GroupVersionKind};

const KIND: GroupVersionKind =
    GroupVersionKind::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");

/// A definition as it would be once it was written and had its names, at a revision.
pub(super) fn established(
    definition: &CustomResourceDefinition,
    taken: impl FnOnce(&str) -> Taken,
    revision: u64,
    now: Timestamp,
) -> Result<Object, Status> {
    let value = serde_json::to_value(definition).map_err(Status::internal)?;
    let serde_json::Value::Object(mut object) = value else {
        return Err(Status::internal("a definition is an object"));
    };
    let rules = strategy_for(&CUSTOMRESOURCEDEFINITIONS);
    rules.default(&mut object);
    map_mut(&mut object, "metadata").insert("generation".into(), 1.into());
    rules.prepare_for_create(&mut object);
    let name = map_of(&object, "metadata").map_or("", |metadata| str_of(metadata, "name"));
    let errors = rules.validate(&object);
    if !errors.is_empty() {
        return Err(errors.into_status(&KIND, name));
    }
    let group = map_of(&object, "spec").map_or("", |spec| str_of(spec, "group"));
    let planned = names::plan(&object, &taken(group), "", now);
    refuse_conflicts(name, &planned)?;
    Object::from_stored(canonical(planned), revision).map_err(Status::internal)
}

/// A definition as it is read to serve what it defines.
pub(super) fn read(object: &Object) -> Result<Definition<'_>, Status> {
    serde_json::from_slice(object.stored()).map_err(Status::internal)
}

/// What is wrong with a definition that can't be served.
pub(super) fn invalid(name: &str, why: impl Display) -> Status {
    Status::bad_request(format!("the kind {name:?} can't be served: {why}"))
}

/// A program can't wait until somebody gives a name back.
fn refuse_conflicts(name: &str, planned: &Map) -> Result<(), Status> {
    if names::requested(planned) == names::accepted(planned) {
        return Ok(());
    }
    Err(invalid(name, "not all of its names are free in its group"))
}
