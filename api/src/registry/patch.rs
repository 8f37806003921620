//! Changes of parts of objects.

use super::create::Ownership;
use super::decode::yaml_to_json;
use super::update::Intent;
use super::{Registry, Write};
use crate::apiextensions::CustomResource;
use crate::patch;
use crate::schema::decode;
use crate::strategy::Map;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{Patch, PatchType};
use windlass_core::meta::{Reason, Status, StatusCause};
use windlass_core::scheme::GroupVersionKind;

impl Registry {
    /// Changes an object. An apply makes it when there is none, if `may_create` says so; that is asked only then.
    pub(crate) async fn patch(
        &self,
        write: &mut Write<'_>,
        patch: &Patch,
        may_create: impl Future<Output = Result<(), Status>> + Send,
    ) -> Result<(Arc<Object>, bool), Status> {
        if patch.kind == PatchType::Apply {
            return self.apply(write, patch, may_create).await;
        }
        let intent = |write: &mut Write<'_>, old: &Map| {
            let served = write.served(old);
            let patched = patched(&served, patch, write)?;
            let mut object = write.checked(patched)?;
            write.place(&mut object)?;
            let object = write.to_stored(object)?;
            Ok(Intent { object, ownership: Ownership::Track })
        };
        let changed = self.change(write, intent).await?;
        Ok((write.entry.serve(changed).await?, false))
    }

    /// Server-side apply; makes the object when there is none. Whether it did.
    async fn apply(
        &self,
        write: &mut Write<'_>,
        patch: &Patch,
        may_create: impl Future<Output = Result<(), Status>> + Send,
    ) -> Result<(Arc<Object>, bool), Status> {
        let kind = write.entry.served.clone();
        let config = write.apply_config(&kind, patch)?;
        let intent = |write: &mut Write<'_>, old: Option<&Map>| self.applied(write, &config, old);
        self.change_or_create(write, intent, Some(may_create)).await
    }

    /// What becomes of an object when a configuration of its kind is applied.
    pub(super) fn applied(
        &self,
        write: &mut Write<'_>,
        config: &Map,
        old: Option<&Map>,
    ) -> Result<Intent, Status> {
        let live = old.map(|old| write.served(old));
        let applied = patch::apply(&patch::Apply {
            gvk: &write.entry.served,
            live: live.as_ref(),
            config,
            manager: &write.options.field_manager,
            subresource: write.subresource,
            force: write.options.force,
            now: self.env.clock.now(),
            custom: write.entry.custom.as_deref().map(CustomResource::ownership),
        })?;
        let mut object = write.checked(applied.object)?;
        write.place(&mut object)?;
        Ok(Intent { object: write.to_stored(object)?, ownership: Ownership::Done })
    }
}

/// What a patch that is no apply makes of an object.
pub(super) fn patched(current: &Map, patch: &Patch, write: &Write<'_>) -> Result<Map, Status> {
    match patch.kind {
        PatchType::Json => patch::json(current, &patch.body),
        PatchType::Merge => patch::merge(current, &patch.body),
        PatchType::Strategic => patch::strategic(current, &patch.body, &write.entry.served),
        PatchType::Apply => Err(Status::failure(
            Reason::UnsupportedMediaType,
            "the subresource does not support apply",
        )),
    }
}

// === impl Write ===

impl Write<'_> {
    /// A stored object as it is served.
    pub(super) fn served(&self, stored: &Map) -> Map {
        let mut object = stored.clone();
        if let Some(conversion) = self.entry.conversion {
            conversion.served_map(&self.entry.served, &mut object);
        }
        object
    }

    /// What is applied: an object of a kind, which may be another than the resource's.
    pub(super) fn apply_config(
        &mut self,
        kind: &GroupVersionKind,
        patch: &Patch,
    ) -> Result<Map, Status> {
        if self.options.field_manager.is_empty() {
            let cause = StatusCause {
                reason: "FieldValueRequired".into(),
                message: "Required value: is required for apply patch".into(),
                field: "fieldManager".into(),
            };
            return Err(Status::invalid("meta.k8s.io", "PatchOptions", "", vec![cause]));
        }
        let json = match serde_json::from_slice::<&serde_json::value::RawValue>(&patch.body) {
            Ok(_) => patch.body.to_vec(),
            Err(_) => yaml_to_json(&patch.body)?,
        };
        let bad = |error: &dyn std::fmt::Display| {
            Status::bad_request(format!("error decoding YAML: {error}"))
        };
        let mut decoded = decode::partial(kind, &json).map_err(|error| bad(&error))?;
        if *kind == self.entry.served {
            decoded = self.pruned(decoded).map_err(|error| bad(&error))?;
        }
        let mut config = self.take(decoded, Status::bad_request)?;
        self.place(&mut config)?;
        Ok(config)
    }
}
