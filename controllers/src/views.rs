//! The fields that caches keep decoded. Whole kinds are decoded inside a reconcile only.

mod node;
mod pod;
mod service;
mod workload;

pub(crate) use node::{NodeView, Taint};
pub(crate) use pod::{PodView, ResourceClaim, Toleration};
pub(crate) use service::{ServicePort, ServiceSpec, ServiceView};
pub(crate) use workload::{Selector, WorkloadView};

use crate::Context;
use std::sync::Arc;
use windlass_core::cache::{Entry, HeaderOnly, Informer};
use windlass_core::controller::ObjectKey;
use windlass_core::scheme::{self, GroupVersionResource};
use windlass_core::{Object, View};

/// Index of what a controller owns: by the controller's uid.
pub(crate) const BY_CONTROLLER: &str = "controller";
/// Index of what no controller owns: by namespace.
pub(crate) const ORPHANS: &str = "orphans";
/// Index of pods: by the node they are bound to; those of none under the empty name.
pub(crate) const BY_NODE: &str = "node";
/// Index of pods: by namespace and name of each claim they use.
pub(crate) const BY_CLAIM: &str = "claim";

pub(crate) type Pods = Arc<Informer<PodView>>;
pub(crate) type Pod = Arc<Entry<PodView>>;
pub(crate) type Headers = Arc<Informer<HeaderOnly>>;
pub(crate) type Workloads = Arc<Informer<WorkloadView>>;

/// All pods.
pub(crate) fn pods(context: &Context) -> Pods {
    let pods = context.informers.informer::<PodView>(scheme::PODS);
    index_owners(&pods);
    pods.add_index(BY_NODE, |pod| vec![pod.view.spec.node_name.to_string()]);
    pods
}

/// All pods, by the claims they use too.
pub(crate) fn pods_by_claim(context: &Context) -> Pods {
    let pods = pods(context);
    pods.add_index(BY_CLAIM, claim_keys);
    pods
}

/// Namespace and name of each claim a pod uses.
pub(crate) fn claim_keys(pod: &Entry<PodView>) -> Vec<String> {
    let claims = pod.view.claims(pod.object.name());
    claims.map(|claim| ObjectKey::new(pod.object.namespace(), claim).to_string()).collect()
}

/// All objects of a kind that selects others.
pub(crate) fn workloads(context: &Context, resource: GroupVersionResource) -> Workloads {
    let workloads = context.informers.informer::<WorkloadView>(resource);
    index_owners(&workloads);
    workloads
}

/// The headers of all objects of a kind.
pub(crate) fn headers(context: &Context, resource: GroupVersionResource) -> Headers {
    let headers = context.informers.informer::<HeaderOnly>(resource);
    index_owners(&headers);
    headers
}

/// What `uid` controls, and what in its namespace nobody controls.
pub(crate) fn claimable<V: View>(
    cache: &Informer<V>,
    namespace: &str,
    uid: &str,
) -> Vec<Arc<Entry<V>>> {
    let mut found = cache.by_index(BY_CONTROLLER, uid);
    found.extend(cache.by_index(ORPHANS, namespace));
    found
}

fn index_owners<V: View>(cache: &Informer<V>) {
    cache.add_index(BY_CONTROLLER, |entry| controller(&entry.object).into_iter().collect());
    cache.add_index(ORPHANS, |entry| match controller(&entry.object) {
        None => vec![entry.object.namespace().to_owned()],
        Some(_) => vec![],
    });
}

fn controller(object: &Object) -> Option<String> {
    object.header().controller().map(|owner| owner.uid.to_string())
}
