//! What may be written, and what is filled in: plugins between a request and the registry.

mod always_pull_images;
mod certificates;
mod charge;
mod claim_resize;
mod classes;
mod default_ingress_class;
mod default_storage_class;
mod default_toleration_seconds;
mod deny_external_ips;
mod escalation;
mod event_rate_limit;
mod expression;
mod extended_resource_toleration;
mod index;
mod limit_ranger;
mod namespace_lifecycle;
mod node_restriction;
pub(crate) mod notes;
mod owner_references;
mod plugins;
mod pod_node_selector;
mod pod_security;
mod pod_toleration_restriction;
mod pod_topology_labels;
mod policy;
mod priority;
mod reinvocation;
mod resource_quota;
mod rules;
mod runtime_class;
mod service_account;
mod storage_protection;
mod taint_nodes;
#[cfg(test)]
mod testing;
mod tolerations;
mod view;
mod webhook;

pub use always_pull_images::AlwaysPullImages;
pub use certificates::{CertificateApproval, CertificateSigning, CertificateSubjectRestriction};
pub use charge::Charge;
pub use claim_resize::PersistentVolumeClaimResize;
pub use default_ingress_class::DefaultIngressClass;
pub use default_storage_class::DefaultStorageClass;
pub use default_toleration_seconds::DefaultTolerationSeconds;
pub use deny_external_ips::DenyServiceExternalIPs;
pub use escalation::EscalationPrevention;
pub use event_rate_limit::{EventLimit, EventRateLimit, LimitKind};
pub use extended_resource_toleration::ExtendedResourceToleration;
pub use limit_ranger::LimitRanger;
pub use namespace_lifecycle::NamespaceLifecycle;
pub use node_restriction::NodeRestriction;
pub use owner_references::OwnerReferencesPermissionEnforcement;
pub use plugins::{AdmissionConfiguration, PluginError, Plugins};
pub use pod_node_selector::PodNodeSelector;
pub use pod_security::{Exemptions, Level, PodSecurity, Policy, Standard, Version};
pub use pod_toleration_restriction::PodTolerationRestriction;
pub use pod_topology_labels::PodTopologyLabels;
pub use policy::{MutatingPolicies, ValidatingPolicies};
pub use priority::Priority;
pub use resource_quota::{LimitedResource, ResourceQuota};
pub use runtime_class::RuntimeClass;
pub use service_account::ServiceAccount;
pub use storage_protection::StorageObjectInUseProtection;
pub use taint_nodes::TaintNodesByCondition;
pub use webhook::{MutatingWebhooks, ValidatingWebhooks};

pub(crate) use expression::Compiler;
pub(crate) use policy::start_type_checking;

use crate::authentication::User;
use crate::metrics::admission::AdmissionMetrics;
use crate::registry::{Entry, Loopback};
use crate::strategy::Map;
use crate::strategy::json::str_at;
use async_trait::async_trait;
use reinvocation::Reinvocation;
use std::sync::Arc;
use windlass_core::client::{DeleteOptions, WriteOptions};
use windlass_core::clock::Env;
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
    /// What the user is told, admitted or not.
    pub warnings: Vec<String>,
    /// What the audit log says of it: a key with a domain (`policies.example/why`), and a text.
    pub annotations: Vec<(String, String)>,
    /// The resource as it was asked for: in the version and under the name of the request.
    pub(crate) entry: &'a Arc<Entry>,
    /// Time and chance.
    pub(crate) env: &'a Env,
    /// What webhooks and policies are counted in.
    pub(crate) metrics: &'a AdmissionMetrics,
    pub(crate) reinvocation: Reinvocation,
}

/// When a plugin has its turn. Within a phase plugins keep the order in which they were added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// First: what is built in.
    #[default]
    Plugin,
    /// MutatingAdmissionPolicies.
    MutatingPolicy,
    /// Mutating webhooks: they see what policies made of the object.
    MutatingWebhook,
    /// ValidatingAdmissionPolicies.
    ValidatingPolicy,
    /// Validating webhooks.
    ValidatingWebhook,
    /// Last: what counts the objects that nothing else refused.
    Quota,
}

/// A plugin. May be called from many tasks at once.
#[async_trait]
pub trait Admission: Send + Sync {
    /// Whether it has a say. Asked for every write: cheap.
    fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool;

    /// When it has its turn.
    fn phase(&self) -> Phase {
        Phase::Plugin
    }

    /// Changes the object, or refuses it. Called once more for the same object when a webhook or a policy changed it:
    /// doing it twice must lead to the same object.
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

    /// What the object takes of what is counted, or that there is not enough of it. Asked of plugins in
    /// [`Phase::Quota`], after all else, with the object as it will be kept, and again when what a charge stood on has
    /// changed in between.
    ///
    /// # Errors
    /// The refusal.
    async fn charge(&self, _request: &AdmissionRequest<'_>) -> Result<Option<Charge>, Status> {
        Ok(None)
    }
}

/// Plugins in their order. The first refusal ends it.
#[derive(Clone, Default)]
pub(crate) struct Chain(pub(crate) Vec<Arc<dyn Admission>>);

// === impl Chain ===

impl Chain {
    /// Plugins in the order of their phases.
    pub(crate) fn new(plugins: impl IntoIterator<Item = Arc<dyn Admission>>) -> Self {
        let mut plugins: Vec<_> = plugins.into_iter().collect();
        plugins.sort_by_key(|plugin| plugin.phase());
        Self(plugins)
    }

    /// Whether one of them has a say. Without one an object need not be prepared for them.
    pub(crate) fn handles(&self, operation: Operation, resource: &GroupVersionResource) -> bool {
        self.0.iter().any(|plugin| plugin.handles(operation, resource))
    }

    /// Lets all change it, a second time when one that is called (a webhook, a policy) did. Whether there was one to
    /// do so.
    pub(crate) async fn admit(&self, request: &mut AdmissionRequest<'_>) -> Result<bool, Status> {
        let asked = self.round(request).await?;
        if request.reinvocation.begin_second() {
            self.round(request).await?;
        }
        Ok(asked)
    }

    /// Both steps, for what is not kept as it is sent: a delete, a connection, what a creater makes.
    pub(crate) async fn decide(&self, request: &mut AdmissionRequest<'_>) -> Result<(), Status> {
        self.admit(request).await?;
        self.validate(request).await
    }

    async fn round(&self, request: &mut AdmissionRequest<'_>) -> Result<bool, Status> {
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

impl AdmissionRequest<'_> {
    /// Notes something for the audit log.
    pub fn annotate(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.annotations.push((key.into(), value.into()));
    }

    /// The refusal, in Kubernetes' words: `pods "a" is forbidden: why`.
    #[must_use]
    pub fn forbidden(&self, why: &str) -> Status {
        let own = |field| self.object.as_ref().map_or("", |it| str_at(it, &["metadata", field]));
        let names = [self.name, own("name"), own("generateName")];
        let name = names.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        Status::forbidden(&self.resource.group, &self.resource.resource, name, why)
    }

    /// Whether nothing is to be kept of it.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.options.dry_run || self.delete.is_some_and(DeleteOptions::is_dry_run)
    }

    /// It was decided: the object, and the warnings of one that is admitted. What else there is to say goes to the
    /// notes of the request.
    pub(crate) fn close(self, admitted: bool) -> (Option<Map>, Vec<String>) {
        let Self { object, mut warnings, annotations, .. } = self;
        let beside_refusal = if admitted { Vec::new() } else { std::mem::take(&mut warnings) };
        if !annotations.is_empty() || !beside_refusal.is_empty() {
            notes::add(annotations, beside_refusal);
        }
        (object, warnings)
    }
}

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
