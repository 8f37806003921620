//! Gives definitions their names, and says so in their status.

use super::Writer;
use crate::apiextensions::names::plan;
use crate::strategy::Map;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::controller::{Action, Reconciler};
use windlass_core::meta::Status;
use windlass_core::object::canonical;

/// One definition at a time: of two that ask for a name the first gets it.
pub(super) struct NamesReconciler(pub(super) Arc<Writer>);

#[async_trait]
impl Reconciler for NamesReconciler {
    type Request = String;
    type Error = Status;

    async fn reconcile(&self, name: &String) -> Result<Action, Status> {
        let Self(writer) = self;
        let Some(object) = writer.definition(name).await? else { return Ok(Action::Done) };
        if object.header().deleting {
            return Ok(Action::Done);
        }
        let (group, now) = (group(name), writer.registry.env.clock.now());
        let taken = writer.registrar.taken(group, name);
        let faults = writer.registrar.faults(name);
        let planned = |old: &Map| plan(old, &taken, &faults, now);
        // Who reads that it is established finds it served.
        let preview = preview(&object, planned)?;
        writer.registrar.apply(&preview).await;
        writer.change(name, "status", planned).await?;
        Ok(Action::Done)
    }
}

/// The definition as it will be once it is written.
fn preview(object: &Object, planned: impl Fn(&Map) -> Map) -> Result<Object, Status> {
    let old: Map = object.view().map_err(Status::internal)?;
    let version = object.resource_version();
    Object::from_stored(canonical(planned(&old)), version).map_err(Status::internal)
}

fn group(name: &str) -> &str {
    name.split_once('.').map_or("", |(_, group)| group)
}
