//! Which objects the names in `spec.hard` are about.

use windlass_core::scheme::{self, GroupVersionResource, Scheme};

/// What is looked at to know how much of a resource is used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// Pods and what they ask for.
    Pods,
    /// Services, their node ports and load balancers.
    Services,
    /// Claims and the storage they ask for.
    Claims,
    /// The number of objects of this resource.
    Objects(GroupVersionResource),
}

/// The source for a name in `spec.hard`; none for one that nothing is known about.
pub(super) fn source(name: &str) -> Option<Source> {
    match name {
        "services.nodeports" | "services.loadbalancers" => Some(Source::Services),
        "requests.storage" => Some(Source::Claims),
        "pods"
        | "services"
        | "persistentvolumeclaims"
        | "configmaps"
        | "secrets"
        | "replicationcontrollers"
        | "resourcequotas" => objects(name),
        _ if is_computed(name) => Some(Source::Pods),
        _ if is_of_class(name) => Some(Source::Claims),
        _ => objects(name.strip_prefix("count/")?),
    }
}

/// A resource that no word of Kubernetes itself names: `example.com/gpu`.
pub(super) fn is_extended(resource: &str) -> bool {
    resource.contains('/') && !resource.contains("kubernetes.io/")
}

/// Huge pages, and a computed resource that every node has.
pub(super) fn is_native(resource: &str) -> bool {
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

/// `deployments.apps`, `pods`.
fn objects(counted: &str) -> Option<Source> {
    let (resource, group) = counted.split_once('.').unwrap_or((counted, ""));
    let info = Scheme::builtin().by_group_resource(group, resource)?;
    let gvr = &info.gvr;
    if !info.namespaced || !info.has_verb("list") || !info.has_verb("watch") {
        return None;
    }
    Some(match gvr {
        gvr if *gvr == scheme::PODS => Source::Pods,
        gvr if *gvr == scheme::SERVICES => Source::Services,
        gvr if *gvr == scheme::PERSISTENTVOLUMECLAIMS => Source::Claims,
        gvr => Source::Objects(gvr.clone()),
    })
}
