//! What is known about one resource.

use std::borrow::Cow;

use super::{GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource};

/// One served resource: what discovery says of it, and where its objects are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceInfo {
    /// Its name in paths.
    pub gvr: GroupVersionResource,
    /// The kind of its objects: `Deployment`.
    pub kind: Cow<'static, str>,
    /// The singular one may type for it: `deployment`.
    pub singular: Cow<'static, str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// The verbs it serves, sorted: `create`, `delete`, `deletecollection`, `get`, …
    pub verbs: Vec<Cow<'static, str>>,
    /// Short names one may type for it: `deploy`.
    pub short_names: Vec<Cow<'static, str>>,
    /// Groups of resources it is listed with: `all`.
    pub categories: Vec<Cow<'static, str>>,
    /// The version its objects are stored in. Two resources that share storage version and plural are
    /// two faces of the same objects (events of the core group and of `events.k8s.io`).
    pub storage: GroupVersion,
    /// What lies below an object of it, sorted by name.
    pub subresources: Vec<SubresourceInfo>,
}

/// One subresource: a path below an object, with a kind of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubresourceInfo {
    /// The last part of its path: `status`, `scale`, `exec`.
    pub name: Cow<'static, str>,
    /// The kind it takes and gives; of another group for `scale`, `eviction` and `token`.
    pub gvk: GroupVersionKind,
    /// The verbs it serves, sorted.
    pub verbs: Vec<Cow<'static, str>>,
}

// === impl ResourceInfo ===

impl ResourceInfo {
    /// The kind of its objects, with group and version.
    #[must_use]
    pub fn gvk(&self) -> GroupVersionKind {
        self.gvr.group_version().with_kind(self.kind.clone())
    }

    /// The kind of its lists: `DeploymentList`.
    #[must_use]
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// The resource under whose name its objects are stored.
    #[must_use]
    pub fn storage_gvr(&self) -> GroupVersionResource {
        self.storage.with_resource(self.gvr.resource.clone())
    }

    /// The same resource without a version.
    #[must_use]
    pub fn group_resource(&self) -> GroupResource {
        self.gvr.group_resource()
    }

    /// Whether it serves a verb.
    #[must_use]
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|served| served == verb)
    }

    /// The subresource of this name, if it has it.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&SubresourceInfo> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }
}

// === impl SubresourceInfo ===

impl SubresourceInfo {
    /// Whether it serves a verb.
    #[must_use]
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|served| served == verb)
    }
}
