//! Deleting, one or many.

use super::commit::Outcome;
use super::deletion::{Plan, plan};
use super::write::{ATTEMPTS, assemble};
use super::{Registry, Write};
use crate::admission::Operation;
use crate::storage::ReadVersion;
use crate::strategy::Map;
use crate::validation::Errors;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::{DeleteOptions, ListOptions};
use windlass_core::meta::{Reason, Status, StatusDetails};
use windlass_core::scheme::GroupVersionKind;
use windlass_store::Precondition;

/// The kind of the options of a deletion.
pub(crate) const OPTIONS_KIND: GroupVersionKind =
    GroupVersionKind::new("meta.k8s.io", "v1", "DeleteOptions");

/// What became of an object.
pub(crate) enum Deleted {
    /// It is gone; this was its last state.
    Gone(Arc<Object>),
    /// It goes later.
    Waiting(Arc<Object>),
}

impl Registry {
    pub(crate) async fn delete(
        &self,
        write: &mut Write<'_>,
        options: &DeleteOptions,
    ) -> Result<Deleted, Status> {
        check(options)?;
        for _ in 0..ATTEMPTS {
            let current = self.stored(write.entry, write.namespace, write.name).await?;
            if let Some(wanted) = &options.preconditions {
                write.check_preconditions(wanted, &current)?;
            }
            let old = write.entry.open(&current).await?;
            self.admit_delete(write, &old, options).await?;
            if let Some(done) = self.delete_once(write, &current, old, options).await? {
                return Ok(done);
            }
        }
        Err(write.modified())
    }

    /// One attempt. None when the object changed in between.
    async fn delete_once(
        &self,
        write: &Write<'_>,
        current: &Arc<Object>,
        old: Map,
        options: &DeleteOptions,
    ) -> Result<Option<Deleted>, Status> {
        let dry_run = self.is_dry(write) || (options.is_dry_run() && !self.staged);
        match plan(&write.entry.place.gvr, &old, options, self.env.clock.now()) {
            Plan::Wait => Ok(Some(Deleted::Waiting(current.clone()))),
            Plan::Remove if dry_run => Ok(Some(Deleted::Gone(current.clone()))),
            Plan::Remove => Ok(self.remove(write, current, old).await?.map(Deleted::Gone)),
            Plan::Mark(new) if dry_run => {
                assemble(new, current.resource_version()).map(|new| Some(Deleted::Waiting(new)))
            }
            Plan::Mark(new) => {
                let key = write.entry.place.key(write.namespace, write.name);
                let guard = Precondition::ModRevision(key, current.resource_version());
                match self.put(write, guard, new, Some(&old)).await? {
                    Outcome::Done(object) => Ok(Some(Deleted::Waiting(object))),
                    Outcome::Lost => Ok(None),
                }
            }
        }
    }

    async fn admit_delete(
        &self,
        write: &mut Write<'_>,
        old: &Map,
        options: &DeleteOptions,
    ) -> Result<(), Status> {
        if self.admission.0.is_empty() {
            return Ok(());
        }
        let mut request = write.admission(Operation::Delete, write.name, None, Some(old), self);
        request.delete = Some(options);
        let admitted = self.admission.decide(&mut request).await;
        let (_, warnings) = request.close(admitted.is_ok());
        admitted?;
        write.warnings.extend(warnings);
        Ok(())
    }

    /// Deletes all objects that a list with these options shows. What goes in between is no error.
    pub(crate) async fn delete_collection(
        &self,
        write: &mut Write<'_>,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<windlass_core::ObjectList, Status> {
        check(options)?;
        let mut query = write.entry.list_query(write.namespace, list)?;
        let fields = write.entry.split(&mut query.selection);
        if query.start.is_none() && list.resource_version.is_empty() {
            query.at = ReadVersion::Newest;
        }
        let page = self.storage().list(&query).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for object in page.items {
            if !fields.requirements.is_empty() {
                let served = write.entry.serve(object.clone()).await?;
                if !write.entry.selects(&fields, &served) {
                    continue;
                }
            }
            let namespace = Some(object.namespace()).filter(|namespace| !namespace.is_empty());
            let mut one = Write {
                entry: write.entry,
                user: write.user,
                namespace,
                name: object.name(),
                subresource: "",
                options: write.options,
                warnings: Vec::new(),
            };
            match self.delete(&mut one, options).await {
                Ok(Deleted::Gone(object) | Deleted::Waiting(object)) => items.push(object),
                Err(status) if status.reason == Reason::NotFound => {}
                Err(status) => return Err(status),
            }
        }
        let resource_version = page.revision.to_string();
        let meta = windlass_core::object::ListMeta { resource_version, ..Default::default() };
        let items = write.entry.serve_all(items).await?;
        Ok(windlass_core::ObjectList { meta, items })
    }
}

/// Whether the options make sense (apimachinery's `ValidateDeleteOptions`).
pub(super) fn check(options: &DeleteOptions) -> Result<(), Status> {
    let mut errors = Errors::default();
    if let (Some(_), Some(policy)) = (options.orphan_dependents, options.propagation_policy) {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        errors.invalid("propagationPolicy", format!("{policy:?}"), why);
    }
    let stages = options.dry_run.as_deref().unwrap_or_default();
    if stages.iter().any(|stage| stage != "All") {
        errors.unsupported("dryRun", &stages.into(), &["All"]);
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.into_status(&OPTIONS_KIND, "")) }
}

// === impl Deleted ===

impl Deleted {
    /// What a client is told of an object that is gone.
    pub(crate) fn status(entry: &super::Entry, object: &Object) -> Status {
        Status::success(Some(StatusDetails {
            name: object.name().into(),
            group: entry.group().into(),
            kind: entry.plural().into(),
            uid: object.header().uid.to_string(),
            ..StatusDetails::default()
        }))
    }
}
