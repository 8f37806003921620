//! Which object, which objects.

use crate::scheme::GroupVersionResource;
use std::fmt;

/// One object, or a subresource of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Its resource.
    pub resource: GroupVersionResource,
    /// Its namespace; `None` for objects of the cluster.
    pub namespace: Option<String>,
    /// Its name; may be empty in a create.
    pub name: String,
    /// `status`, `scale`, …
    pub subresource: Option<String>,
}

/// The objects of a resource, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The resource.
    pub resource: GroupVersionResource,
    /// The namespace; `None` for all, and for objects of the cluster.
    pub namespace: Option<String>,
}

// === impl Key ===

impl Key {
    /// An object in a namespace; an empty one means none.
    pub fn new(
        resource: GroupVersionResource,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        let namespace = Some(namespace.into()).filter(|namespace| !namespace.is_empty());
        Self { resource, namespace, name: name.into(), subresource: None }
    }

    /// An object of the cluster.
    pub fn cluster(resource: GroupVersionResource, name: impl Into<String>) -> Self {
        Self { resource, namespace: None, name: name.into(), subresource: None }
    }

    /// A subresource of the same object.
    #[must_use]
    pub fn subresource(mut self, subresource: impl Into<String>) -> Self {
        self.subresource = Some(subresource.into());
        self
    }

    /// All objects beside it: same resource, same namespace.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope { resource: self.resource.clone(), namespace: self.namespace.clone() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource.resource)?;
        for part in self.namespace.iter().chain([&self.name]).chain(&self.subresource) {
            write!(f, "/{part}")?;
        }
        Ok(())
    }
}

// === impl Scope ===

impl Scope {
    /// All objects of a resource.
    #[must_use]
    pub fn all(resource: GroupVersionResource) -> Self {
        Self { resource, namespace: None }
    }

    /// Those of one namespace; an empty one means all.
    pub fn namespace(resource: GroupVersionResource, namespace: impl Into<String>) -> Self {
        let namespace = Some(namespace.into()).filter(|namespace| !namespace.is_empty());
        Self { resource, namespace }
    }
}
