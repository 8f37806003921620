//! Reads caches, applies the plan.

use super::plan::{OF_CLAIMS, OF_VOLUMES, plan};
use crate::Context;
use crate::support::ops;
use crate::views::{BY_CLAIM, Headers, PodView, Pods};
use async_trait::async_trait;
use windlass_core::apis::core::v1::PersistentVolume;
use windlass_core::cache::Entry;
use windlass_core::client::{Key, ListOptions, Scope};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Result, scheme};

pub(super) struct Claims {
    context: Context,
    claims: Headers,
    pods: Pods,
}

pub(super) struct Volumes {
    context: Context,
    volumes: Headers,
}

impl Claims {
    pub(super) fn new(context: &Context, claims: Headers, pods: Pods) -> Self {
        Self { context: context.clone(), claims, pods }
    }

    /// Whether a pod uses a claim. Before nobody is said to, the server is asked: the cache may not show a pod yet that
    /// came before the claim was deleted.
    async fn is_in_use(&self, claim: &ObjectKey) -> Result<bool> {
        let users = self.pods.by_index(BY_CLAIM, &claim.to_string());
        if users.iter().any(|pod| uses(pod, &claim.name)) {
            return Ok(true);
        }
        let scope = Scope::namespace(scheme::PODS, &*claim.namespace);
        let live = self.context.client.list(&scope, &ListOptions::default()).await?;
        for pod in live.items {
            if uses(&Entry::new(pod)?, &claim.name) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Volumes {
    pub(super) fn new(context: &Context, volumes: Headers) -> Self {
        Self { context: context.clone(), volumes }
    }
}

#[async_trait]
impl Reconciler for Claims {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(claim) = self.claims.get(&request.namespace, &request.name) else {
            return Ok(Action::Done);
        };
        let header = claim.object.header();
        // What stays is protected anyway.
        let in_use = header.deleting && self.is_in_use(request).await?;
        let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, &request.namespace, &request.name);
        let op = plan(key, header, OF_CLAIMS, in_use);
        ops::apply(&*self.context.client, &self.context.recorder, op.into_iter().collect()).await?;
        Ok(Action::Done)
    }
}

#[async_trait]
impl Reconciler for Volumes {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let Some(entry) = self.volumes.get("", &request.name) else { return Ok(Action::Done) };
        let volume: PersistentVolume = entry.object.view()?;
        let phase = volume.status.as_ref().and_then(|status| status.phase.as_deref());
        let key = Key::cluster(scheme::PERSISTENTVOLUMES, &request.name);
        let op = plan(key, entry.object.header(), OF_VOLUMES, phase == Some("Bound"));
        ops::apply(&*self.context.client, &self.context.recorder, op.into_iter().collect()).await?;
        Ok(Action::Done)
    }
}

/// Whether the pod has not ended and names the claim.
fn uses(pod: &Entry<PodView>, claim: &str) -> bool {
    !pod.view.is_terminal() && pod.view.claims(pod.object.name()).any(|named| named == claim)
}
