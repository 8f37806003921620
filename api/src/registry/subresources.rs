//! Subresources with a kind of their own: what they take is not the object they belong to.

mod binding;
mod eviction;
mod scale;

use super::meta::meta_str;
use super::{Body, Registry, Write};
use crate::admission::Operation;
use crate::strategy::Map;
use crate::strategy::json::str_of;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::meta::Status;
use windlass_core::scheme::{self, GroupVersionKind, GroupVersionResource};

pub(crate) use scale::{replace_scale, scale_of};

/// Makes something that is not kept: a token, a review, a binding.
#[async_trait]
pub trait Creater: Send + Sync {
    /// Does what was posted and answers with the posted object, filled in, or with a Status.
    async fn create(&self, call: Call<'_>, object: Map) -> Result<Created, Status>;
}

/// What was posted to a [`Creater`], by whom, and where.
pub struct Call<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) write: Write<'a>,
}

/// The answer of a [`Creater`].
#[derive(Clone, Debug)]
pub enum Created {
    /// An object of the kind that was posted.
    Object(Map),
    /// It was done; and what the user is told beside.
    Done(Vec<String>),
}

/// Resource, subresource (or empty) and who makes it.
pub(crate) type CreaterEntry = (GroupVersionResource, &'static str, Arc<dyn Creater>);

/// Those that need nothing but the objects.
pub(crate) fn builtin_creaters() -> Vec<CreaterEntry> {
    vec![
        (scheme::PODS, "binding", Arc::new(binding::Binding)),
        (scheme::BINDINGS, "", Arc::new(binding::Binding)),
        (scheme::PODS, "eviction", Arc::new(eviction::Eviction)),
    ]
}

// === impl Call ===

impl Call<'_> {
    /// Who posted it.
    #[must_use]
    pub fn user(&self) -> &crate::authentication::User {
        self.write.user
    }

    /// The namespace; empty for objects of the cluster.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.write.namespace.unwrap_or_default()
    }

    /// The object that the subresource belongs to; empty when there is none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.write.name
    }

    /// What was posted is about the object that the path names, if it names one.
    pub(super) fn check_name(&self, object: &Map) -> Result<(), Status> {
        let named = self.write.name;
        if named.is_empty() || meta_str(object, "name") == named {
            return Ok(());
        }
        let kind = str_of(object, "kind");
        Err(Status::bad_request(format!("name in URL does not match name in {kind} object")))
    }

    /// Whether nothing is to be kept.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.write.options.dry_run
    }

    /// The server's own objects.
    #[must_use]
    pub fn objects(&self) -> &super::Loopback {
        &self.registry.objects
    }

    /// Time and chance.
    #[must_use]
    pub fn env(&self) -> &windlass_core::clock::Env {
        &self.registry.env
    }
}

// === impl Registry ===

impl Registry {
    /// Hands a posted object to the one who makes it.
    pub(crate) async fn create_with(
        &self,
        creater: &dyn Creater,
        mut write: Write<'_>,
        kind: &GroupVersionKind,
        body: &Body,
    ) -> Result<(Created, Vec<String>), Status> {
        let object = write.decode_as(kind, body)?;
        let name = write.name.to_owned();
        let object = self.admit_part(&mut write, kind, &name, object).await?;
        let mut warnings = std::mem::take(&mut write.warnings);
        let mut created = creater.create(Call { registry: self, write }, object).await?;
        if let Created::Done(told) = &mut created {
            warnings.append(told);
        }
        Ok((created, warnings))
    }

    async fn admit_part(
        &self,
        write: &mut Write<'_>,
        kind: &GroupVersionKind,
        name: &str,
        object: Map,
    ) -> Result<Map, Status> {
        if self.admission.0.is_empty() {
            return Ok(object);
        }
        let mut request = write.admission(Operation::Create, name, Some(object), None, self);
        request.kind = kind;
        let admitted = self.admission.decide(&mut request).await;
        let (object, warnings) = request.close(admitted.is_ok());
        admitted?;
        write.warnings.extend(warnings);
        object.ok_or_else(|| Status::internal("admission took the object away"))
    }
}
