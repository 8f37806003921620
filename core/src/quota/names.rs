//! Which objects the names in `spec.hard` are about.

use crate::scheme::{self, GroupVersionResource};

/// What is looked at to know how much of a resource is used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Pods and what they ask for.
    Pods,
    /// Services, their node ports and load balancers.
    Services,
    /// Claims and the storage they ask for.
    Claims,
    /// Claims of devices, and the devices they ask for.
    Devices,
    /// The number of objects of a resource, of any version.
    Objects {
        /// Its group; empty for the core group.
        group: String,
        /// Its plural.
        resource: String,
    },
}

/// The source for a name in `spec.hard`; none for one that nothing is known about.
#[must_use]
pub fn source(name: &str) -> Option<Source> {
    match name {
        "services.nodeports" | "services.loadbalancers" => Some(Source::Services),
        "requests.storage" => Some(Source::Claims),
        "pods"
        | "services"
        | "persistentvolumeclaims"
        | "configmaps"
        | "secrets"
        | "replicationcontrollers"
        | "resourcequotas" => Some(Source::named("", name)),
        _ if is_computed(name) => Some(Source::Pods),
        _ if is_of_class(name) => Some(Source::Claims),
        _ if name.ends_with(".deviceclass.resource.k8s.io/devices") => Some(Source::Devices),
        _ => {
            let counted = name.strip_prefix("count/")?;
            let (resource, group) = counted.split_once('.').unwrap_or((counted, ""));
            Some(Source::named(group, resource))
        }
    }
}

// === impl Source ===

impl Source {
    /// The source that objects of a resource belong to.
    #[must_use]
    pub fn of(resource: &GroupVersionResource) -> Self {
        Self::named(&resource.group, &resource.resource)
    }

    /// The names in `spec.hard` that each object of this source uses one of.
    #[must_use]
    pub fn counts(&self) -> Vec<String> {
        let (group, resource) = match self {
            Self::Pods => ("", &*scheme::PODS.resource),
            Self::Services => ("", &*scheme::SERVICES.resource),
            Self::Claims => ("", &*scheme::PERSISTENTVOLUMECLAIMS.resource),
            Self::Devices => ("resource.k8s.io", &*scheme::RESOURCECLAIMS.resource),
            Self::Objects { group, resource } => (group.as_str(), resource.as_str()),
        };
        let dot = if group.is_empty() { "" } else { "." };
        let all = [format!("count/{resource}{dot}{group}"), resource.to_owned()];
        all.into_iter().filter(|name| source(name).as_ref() == Some(self)).collect()
    }

    fn named(group: &str, resource: &str) -> Self {
        match (group, resource) {
            ("", "pods") => Self::Pods,
            ("", "services") => Self::Services,
            ("", "persistentvolumeclaims") => Self::Claims,
            ("resource.k8s.io", "resourceclaims") => Self::Devices,
            _ => Self::Objects { group: group.into(), resource: resource.into() },
        }
    }
}

/// A resource that no word of Kubernetes itself names: `example.com/gpu`.
#[must_use]
pub fn is_extended(resource: &str) -> bool {
    resource.contains('/') && !resource.contains("kubernetes.io/")
}

/// Huge pages, and a computed resource that every node has.
#[must_use]
pub fn is_native(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory" | "ephemeral-storage") || resource.starts_with("hugepages-")
}

fn is_computed(name: &str) -> bool {
    match (name.strip_prefix("requests."), name.strip_prefix("limits.")) {
        (Some(requested), _) => is_native(requested) || is_extended(requested),
        (_, Some(limited)) => is_native(limited) && !limited.starts_with("hugepages-"),
        (None, None) => is_native(name),
    }
}

fn is_of_class(name: &str) -> bool {
    let what = name.split_once(".storageclass.storage.k8s.io/").map(|(_, what)| what);
    matches!(what, Some("persistentvolumeclaims" | "requests.storage"))
}
