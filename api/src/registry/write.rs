//! What all writes have: who, what, how; and the steps they share.

use super::{Entry, Registry};
use crate::admission::{AdmissionRequest, Operation};
use crate::apiextensions::CustomResource;
use crate::authentication::{MASTERS, User};
use crate::managed_fields;
use crate::strategy::Map;
use crate::strategy::json::map_mut;
use crate::validation::Errors;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::client::WriteOptions;
use windlass_core::meta::Status;
use windlass_core::object::canonical;
use windlass_core::scheme::GroupVersionKind;
use windlass_store::Revision;

/// How often a write is tried again when the object changes in between. Each lost attempt is another's success.
pub(super) const ATTEMPTS: usize = 64;

/// The field manager of those who name none.
const UNNAMED: &str = "unknown";

/// One write.
pub(crate) struct Write<'a> {
    /// To an object of this resource.
    pub(crate) entry: &'a Arc<Entry>,
    /// By this user.
    pub(crate) user: &'a User,
    /// In this namespace.
    pub(crate) namespace: Option<&'a str>,
    /// Of this name; empty for a create.
    pub(crate) name: &'a str,
    /// Through this subresource; mostly empty.
    pub(crate) subresource: &'a str,
    /// In this way.
    pub(crate) options: &'a WriteOptions,
    /// What the user is told although it works.
    pub(crate) warnings: Vec<String>,
}

/// A part of the server that writes as the server itself, through the pipeline of everybody.
pub(crate) struct Own {
    user: User,
    options: WriteOptions,
}

// === impl Own ===

impl Own {
    pub(crate) fn new() -> Self {
        let field_manager = "kube-apiserver".into();
        let options = WriteOptions { field_manager, ..WriteOptions::default() };
        Self { user: User::new("system:apiserver", [MASTERS]), options }
    }

    /// A write to an object of the cluster.
    pub(crate) fn write<'a>(&'a self, entry: &'a Arc<Entry>, name: &'a str) -> Write<'a> {
        Write {
            entry,
            user: &self.user,
            namespace: None,
            name,
            subresource: "",
            options: &self.options,
            warnings: Vec::new(),
        }
    }
}

// === impl Write ===

impl Write<'_> {
    /// The part of the object that is written: all of it but for its own parts (`status`, …). A scale
    /// changes the object itself.
    pub(super) fn part(&self) -> &str {
        if self.subresource == "scale" { "" } else { self.subresource }
    }

    pub(super) fn manager(&self) -> &str {
        match self.options.field_manager.as_str() {
            "" => UNNAMED,
            named => named,
        }
    }

    pub(super) fn conflict(&self, why: &str) -> Status {
        Status::conflict(self.entry.group(), self.entry.plural(), self.name, why)
    }

    /// Fails when there are errors.
    pub(super) fn check(&self, errors: &Errors, name: &str) -> Result<(), Status> {
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors.clone().into_status(&self.entry.served, name))
        }
    }

    pub(super) fn admission<'b>(
        &'b self,
        operation: Operation,
        name: &'b str,
        object: Option<Map>,
        old: Option<&'b Map>,
        registry: &'b Registry,
    ) -> AdmissionRequest<'b> {
        AdmissionRequest {
            operation,
            resource: &self.entry.place.gvr,
            kind: &self.entry.stored,
            subresource: self.subresource,
            namespace: self.namespace.unwrap_or_default(),
            name,
            user: self.user,
            object,
            old,
            options: self.options,
            delete: None,
            objects: &registry.objects,
            warnings: Vec::new(),
            annotations: Vec::new(),
            entry: self.entry,
            env: &registry.env,
            metrics: &registry.metrics,
            reinvocation: Default::default(),
        }
    }
}

// === impl Registry ===

impl Registry {
    /// Defaults, and what admission makes of it.
    pub(super) async fn admit(
        &self,
        write: &mut Write<'_>,
        operation: Operation,
        name: &str,
        mut object: Map,
        old: Option<&Map>,
    ) -> Result<Map, Status> {
        let strategy = &write.entry.strategy;
        strategy.default(&mut object);
        if self.admission.0.is_empty() {
            return Ok(object);
        }
        let mut request = write.admission(operation, name, Some(object), old, self);
        let asked = self.admission.admit(&mut request).await;
        let (object, warnings) = request.close(asked.is_ok());
        let asked = asked?;
        let mut object =
            object.ok_or_else(|| Status::internal("admission took the object away"))?;
        if asked {
            strategy.default(&mut object);
            // Where it was sent was decided before: a mutation does not move it.
            write.place(&mut object)?;
        }
        write.warnings.extend(warnings);
        Ok(object)
    }

    /// Whether admission takes the object as it came out.
    pub(super) async fn admitted(
        &self,
        write: &mut Write<'_>,
        operation: Operation,
        name: &str,
        object: Map,
        old: Option<&Map>,
    ) -> Result<Map, Status> {
        if self.admission.0.is_empty() {
            return Ok(object);
        }
        let mut request = write.admission(operation, name, Some(object), old, self);
        let admitted = self.admission.validate(&mut request).await;
        let (object, warnings) = request.close(admitted.is_ok());
        admitted?;
        write.warnings.extend(warnings);
        object.ok_or_else(|| Status::internal("admission took the object away"))
    }

    /// Notes whose the changed fields are: those of the version that was written.
    pub(super) fn own(&self, write: &Write<'_>, new: &mut Map, old: Option<&Map>) {
        if write.entry.conversion.is_none() {
            return self.own_as(write, &write.entry.stored, new, old);
        }
        let (mut served, old) = (write.served(new), old.map(|old| write.served(old)));
        self.own_as(write, &write.entry.served, &mut served, old.as_ref());
        let owners = map_mut(&mut served, "metadata").shift_remove("managedFields");
        let metadata = map_mut(new, "metadata");
        metadata.shift_remove("managedFields");
        metadata.extend(owners.map(|owners| ("managedFields".to_owned(), owners)));
    }

    fn own_as(&self, write: &Write<'_>, gvk: &GroupVersionKind, new: &mut Map, old: Option<&Map>) {
        let now = self.env.clock.now();
        let (manager, subresource) = (write.manager(), write.subresource);
        let custom = write.entry.custom.as_deref().map(CustomResource::ownership);
        let update = managed_fields::Update { gvk, old, manager, subresource, now, custom };
        managed_fields::update(new, &update);
    }
}

/// An object as it would be stored at a revision.
pub(super) fn assemble(object: Map, revision: Revision) -> Result<Arc<Object>, Status> {
    Object::from_stored(canonical(object), revision).map(Arc::new).map_err(Status::internal)
}
