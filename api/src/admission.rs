//! What may be written, and what is filled in: plugins between a request and the registry.

mod default_toleration_seconds;
mod escalation;
mod limit_ranger;
mod namespace_lifecycle;
mod priority;
mod service_account;
mod storage_protection;
mod taint_nodes;

pub use default_toleration_seconds::DefaultTolerationSeconds;
pub use escalation::EscalationPrevention;
pub use limit_ranger::LimitRanger;
pub use namespace_lifecycle::NamespaceLifecycle;
pub use priority::Priority;
pub use service_account::ServiceAccount;
pub use storage_protection::StorageObjectInUseProtection;
pub use taint_nodes::TaintNodesByCondition;

use crate::authentication::User;
use crate::registry::Loopback;
use crate::strategy::Map;
use async_trait::async_trait;
use std::sync::Arc;
use windlass_core::client::{DeleteOptions, WriteOptions};
use windlass_core::meta::Status;
use windlass_core::scheme::{GroupVersionKind, GroupVersionResource};

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// It is connected to: exec, attach, port-forward, proxy.
    Connect,
}

/// A write that is to be admitted. Objects are in the version they are stored in. `Debug` does not show
/// them: they may be secrets.
pub struct AdmissionRequest<'a> {
    /// What is done.
    pub operation: Operation,
    /// To an object of this resource.
    pub resource: &'a GroupVersionResource,
    /// Of this kind; that of the subresource for one with a kind of its own.
    pub kind: &'a GroupVersionKind,
    /// Through this subresource; mostly empty.
    pub subresource: &'a str,
    /// In this namespace; empty for objects of the cluster.
    pub namespace: &'a str,
    /// Of this name; empty while it is to be generated, and for a collection.
    pub name: &'a str,
    /// By this user.
    pub user: &'a User,
    /// The object as it shall be; none for a delete. [`Admission::admit`] may change it.
    pub object: Option<Map>,
    /// The object as it is; none for a create.
    pub old: Option<&'a Map>,
    /// How it is written.
    pub options: &'a WriteOptions,
    /// How it is deleted, for a delete.
    pub delete: Option<&'a DeleteOptions>,
    /// The server's objects as this write sees them: with what the transaction it is part of has written.
    pub objects: &'a Loopback,
    /// What the user is told although it is admitted.
    pub warnings: Vec<String>,
}

/// A plugin. May be called from many tasks at once.
#[async_trait]
pub trait Admission: Send + Sync {
    /// Whether it has a say. Asked for every write: cheap.
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool;

    /// Changes the object, or refuses it.
    ///
    /// # Errors
    /// The refusal.
    async fn admit(&self, _request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        Ok(())
    }

    /// Refuses the object as it came out of all changes and was found valid.
    ///
    /// # Errors
    /// The refusal.
    async fn validate(&self, _request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        Ok(())
    }
}

/// Plugins in their order. The first refusal ends it.
#[derive(Clone, Default)]
pub(crate) struct Chain(pub(crate) Vec<Arc<dyn Admission>>);

// === impl Chain ===

impl Chain {
    /// Lets all change it. Whether there was one to do so.
    pub(crate) async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<bool, Status> {
        let mut asked = false;
        for plugin in &self.0 {
            if plugin.handles(request.operation, request.resource) {
                plugin.admit(request).await?;
                asked = true;
            }
        }
        Ok(asked)
    }

    pub(crate) async fn validate(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        for plugin in &self.0 {
            if plugin.handles(request.operation, request.resource) {
                plugin.validate(request).await?;
            }
        }
        Ok(())
    }
}

// === impl Operation ===

impl Operation {
    /// The word in an `AdmissionReview`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

// === impl AdmissionRequest ===

impl std::fmt::Debug for AdmissionRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdmissionRequest")
            .field("operation", &self.operation)
            .field("resource", &self.resource)
            .field("subresource", &self.subresource)
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("user", &self.user.name)
            .finish_non_exhaustive()
    }
}
