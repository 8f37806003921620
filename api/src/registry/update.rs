//! Changes of objects that are there.

use super::commit::Outcome;
use super::create::Ownership;
use super::decode::Body;
use super::deletion::may_go;
use super::write::{ATTEMPTS, assemble};
use super::{Registry, Write};
use crate::admission::Operation;
use crate::strategy::Map;
use serde_json::Value;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::{Reason, Status};
use windlass_store::Precondition;

/// An object as it shall be.
pub(super) struct Intent {
    pub(super) object: Map,
    pub(super) ownership: Ownership,
}

impl Registry {
    /// Puts an object in the place of another. Of some kinds it is made when there is none, if `may_create` says so; that
    /// is asked only then. Whether it was made.
    pub(crate) async fn update(
        &self,
        write: &mut Write<'_>,
        body: &Body,
        may_create: impl Future<Output = Result<(), Status>> + Send,
    ) -> Result<(Arc<Object>, bool), Status> {
        let mut object = write.decode(body)?;
        write.place(&mut object)?;
        let intent = |write: &mut Write<'_>, old: Option<&Map>| {
            if old.is_some() {
                write.check_condition(&object)?;
            }
            Ok(Intent { object: object.clone(), ownership: Ownership::Track })
        };
        let creates = write.entry.strategy.allows_create_on_update();
        self.change_or_create(write, intent, creates.then_some(may_create)).await
    }

    /// Changes an object as `intent` says; makes it when there is none, if there is somebody to ask whether that may be.
    /// Whether it was made.
    pub(super) async fn change_or_create(
        &self,
        write: &mut Write<'_>,
        intent: impl Fn(&mut Write<'_>, Option<&Map>) -> Result<Intent, Status> + Send + Sync,
        may_create: Option<impl Future<Output = Result<(), Status>> + Send>,
    ) -> Result<(Arc<Object>, bool), Status> {
        let change = |write: &mut Write<'_>, old: &Map| intent(write, Some(old));
        let changed = self.change(write, change).await;
        let may_create = may_create.filter(|_| write.subresource.is_empty());
        let may_create = match (changed, may_create) {
            (Err(status), Some(may_create)) if status.reason == Reason::NotFound => may_create,
            (result, _) => return Ok((write.entry.serve(result?).await?, false)),
        };
        may_create.await?;
        let Intent { object, ownership } = intent(write, None)?;
        write.check_absent(&object)?;
        match self.create_object(write, object, ownership).await {
            // Somebody else made it in between: then it is a change after all.
            Err(status) if status.reason == Reason::AlreadyExists => {
                let changed = self.change(write, change).await?;
                Ok((write.entry.serve(changed).await?, false))
            }
            result => Ok((write.entry.serve(result?).await?, true)),
        }
    }

    /// Changes an object for a part of the server, which knows what it writes.
    pub(crate) async fn rewrite(
        &self,
        write: &mut Write<'_>,
        change: impl Fn(&Map) -> Map + Send + Sync,
    ) -> Result<Arc<Object>, Status> {
        let intent = |_: &mut Write<'_>, old: &Map| {
            Ok(Intent { object: change(old), ownership: Ownership::Track })
        };
        self.change(write, intent).await
    }

    /// Changes an object that is there, as `intent` says when it sees what is there. Asked again when
    /// the object changes in between.
    pub(super) async fn change(
        &self,
        write: &mut Write<'_>,
        intent: impl Fn(&mut Write<'_>, &Map) -> Result<Intent, Status> + Send + Sync,
    ) -> Result<Arc<Object>, Status> {
        let warnings = write.warnings.len();
        for _ in 0..ATTEMPTS {
            write.warnings.truncate(warnings);
            let current = self.stored(write.entry, write.namespace, write.name).await?;
            let old = write.entry.open(&current).await?;
            let intent = intent(write, &old)?;
            if let Some(done) = self.change_once(write, &current, &old, intent).await? {
                return Ok(done);
            }
        }
        Err(write.modified())
    }

    /// One attempt. None when the object changed in between.
    async fn change_once(
        &self,
        write: &mut Write<'_>,
        current: &Arc<Object>,
        old: &Map,
        intent: Intent,
    ) -> Result<Option<Arc<Object>>, Status> {
        let (entry, name) = (write.entry, write.name);
        write.check_version(&intent.object, current)?;
        let mut new = self.admit(write, Operation::Update, name, intent.object, Some(old)).await?;
        match write.part() {
            "" => entry.strategy.prepare_for_update(&mut new, old),
            part => entry.strategy.prepare_for_subresource(part, &mut new, old),
        }
        if intent.ownership == Ownership::Track {
            self.own(write, &mut new, Some(old));
        }
        let errors = match write.part() {
            "" => entry.strategy.validate_update(&new, old),
            part => entry.strategy.validate_subresource(part, &new, old),
        };
        write.check(&errors, name)?;
        let new = self.admitted(write, Operation::Update, name, new, Some(old)).await?;
        if write.part().is_empty() {
            let warnings = entry.strategy.warnings(&new);
            write.warnings.extend(warnings);
        }
        self.keep(write, current, old, new).await
    }

    async fn keep(
        &self,
        write: &Write<'_>,
        current: &Arc<Object>,
        old: &Map,
        new: Map,
    ) -> Result<Option<Arc<Object>>, Status> {
        let goes = may_go(&write.entry.place.gvr, &new);
        if !goes && is_same(&new, old) {
            return Ok(Some(current.clone()));
        }
        if self.is_dry(write) {
            let new = self.allocated(write, new, Some(old)).await?;
            return assemble(new, current.resource_version()).map(Some);
        }
        if goes {
            return self.remove(write, current, new).await;
        }
        let key = write.entry.place.key(write.namespace, write.name);
        let guard = Precondition::ModRevision(key, current.resource_version());
        match self.put(write, guard, new, Some(old)).await? {
            Outcome::Done(object) => Ok(Some(object)),
            Outcome::Lost => Ok(None),
        }
    }
}

/// Whether nothing changed but the time somebody wrote the same.
fn is_same(new: &Map, old: &Map) -> bool {
    let others = |map: &Map| map.keys().filter(|key| *key != "metadata").count();
    let same_values =
        new.iter().all(|(key, value)| key == "metadata" || old.get(key) == Some(value));
    same_values && others(new) == others(old) && same_meta(new.get("metadata"), old.get("metadata"))
}

fn same_meta(new: Option<&Value>, old: Option<&Value>) -> bool {
    let (Some(Value::Object(new)), Some(Value::Object(old))) = (new, old) else {
        return new == old;
    };
    let counts = |key: &&String| !matches!(key.as_str(), "resourceVersion" | "managedFields");
    let keys = |map: &Map| map.keys().filter(counts).count();
    keys(new) == keys(old)
        && new.iter().filter(|(key, _)| counts(key)).all(|(key, value)| old.get(key) == Some(value))
        && same_owners(new.get("managedFields"), old.get("managedFields"))
}

fn same_owners(new: Option<&Value>, old: Option<&Value>) -> bool {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let timeless = |mut entries: Vec<Value>| {
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.shift_remove("time");
        }
        entries
    };
    new == old || timeless(list(new)) == timeless(list(old))
}
