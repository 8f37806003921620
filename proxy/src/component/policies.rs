//! Follows NetworkPolicies, and pods and namespaces once there are any.
//!
//! Most clusters have far more pods than policies, and many have no policies: then pods cost nothing here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use windlass_core::Error;
use windlass_core::cache::{Change, HeaderOnly, Informer, InformerFactory};
use windlass_core::client::{ListOptions, Scope};
use windlass_core::component::Ready;
use windlass_core::meta::Reason;
use windlass_core::scheme::{GroupVersionResource, NAMESPACES, NETWORKPOLICIES, PODS};

use super::Shared;
use crate::config::name_of;
use crate::policy::{NetworkPolicyView, PodView};

/// So long the first sync waits for policies; Services must not wait for what nobody can say when it comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until policies are `known`, within reason.
pub(super) async fn wait(known: &Ready) {
    if timeout(PATIENCE, known.wait()).await.is_err() {
        tracing::warn!("network policies are not enforced until all of them can be read");
    }
}

/// Feeds the tracker. Sets `known` when it has all there was at the start, or when it may not read that.
pub(super) async fn follow(shared: Arc<Shared>, factory: InformerFactory, known: Ready) {
    let policies: Arc<Informer<NetworkPolicyView>> = factory.informer(NETWORKPOLICIES);
    let (of, wanted) = (shared.clone(), Ready::default());
    let first = wanted.clone();
    policies.on_change(move |change| {
        first.set();
        of.policy(change);
    });
    synced(&factory, NETWORKPOLICIES, policies.synced(), &known).await;
    if policies.is_empty() {
        known.set();
    }
    wanted.wait().await;
    shared.follow_peers(&factory, &known).await;
    shared.update(|trackers| trackers.enforcing = true);
    known.set();
}

/// Waits for an informer. Where the server refuses to tell, that is said, once, and nobody has to wait for it.
async fn synced(
    factory: &InformerFactory,
    resource: GroupVersionResource,
    synced: Ready,
    known: &Ready,
) {
    tokio::select! {
        () = synced.wait() => return,
        Some(error) = refusal(factory, resource) => {
            tracing::warn!(%error, "network policies are not enforced until this can be listed and watched");
            known.set();
        }
    }
    synced.wait().await;
}

/// Why the server refuses to list something, if it does. Other errors may pass.
async fn refusal(factory: &InformerFactory, resource: GroupVersionResource) -> Option<Error> {
    let one = ListOptions { limit: 1, ..ListOptions::default() };
    let refused = factory.client().list(&Scope::all(resource), &one).await.err()?;
    (refused.reason() == Some(Reason::Forbidden)).then_some(refused)
}

impl Shared {
    /// Returns when all pods and namespaces are known.
    async fn follow_peers(self: &Arc<Self>, factory: &InformerFactory, known: &Ready) {
        let namespaces: Arc<Informer<HeaderOnly>> = factory.informer(NAMESPACES);
        let of = self.clone();
        namespaces.on_change(move |change| of.namespace(change));
        let pods: Arc<Informer<PodView>> = factory.informer(PODS);
        let of = self.clone();
        pods.on_change(move |change| of.pod(change));
        synced(factory, NAMESPACES, namespaces.synced(), known).await;
        synced(factory, PODS, pods.synced(), known).await;
    }

    fn policy(&self, change: &Change<NetworkPolicyView>) {
        self.update(|trackers| match change {
            Change::Deleted(entry) => trackers.policies.policy_deleted(&name_of(&entry.object)),
            Change::Added(entry) | Change::Updated { new: entry, .. } => {
                trackers.policies.policy_applied(entry);
            }
        });
    }

    fn namespace(&self, change: &Change<HeaderOnly>) {
        self.update(|trackers| match change {
            Change::Deleted(entry) => trackers.policies.namespace_deleted(entry.object.name()),
            Change::Added(entry) | Change::Updated { new: entry, .. } => {
                trackers.policies.namespace_applied(entry);
            }
        });
    }

    fn pod(&self, change: &Change<PodView>) {
        self.update(|trackers| match change {
            Change::Deleted(entry) => trackers.policies.pod_deleted(&name_of(&entry.object)),
            Change::Added(entry) | Change::Updated { new: entry, .. } => {
                trackers.policies.pod_applied(entry.clone());
            }
        });
    }
}
