//! Reads caches, applies the plan.

use super::plan::{OF_CLAIMS, OF_VOLUMES, plan};
use crate::Context;
use crate::support::ops;
use crate::views::{BY_CLAIM, Headers, PodView, Pods};
use async_trait::async_trait;
use std::collections::BTreeSet;
use windlass_core::apis::core::v1::PersistentVolume;
use windlass_core::cache::Entry;
use windlass_core::client::{Key, ListOptions, Scope};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::{Error, Object, Result, scheme};

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

    /// Lets those claims of a namespace go that no pod uses. Before that is said of any the server is asked: the cache may
    /// not show a pod yet that came before its claim was deleted.
    async fn release(&self, namespace: &str) -> Result<()> {
        let mut unused = self.claims.list(Some(namespace));
        unused.retain(|claim| {
            let header = claim.object.header();
            header.deleting && header.finalizers.iter().any(|finalizer| **finalizer == *OF_CLAIMS)
        });
        unused.retain(|claim| {
            let users = self.pods.by_index(BY_CLAIM, &ObjectKey::of(&claim.object).to_string());
            users.iter().all(|pod| pod.view.is_terminal())
        });
        if unused.is_empty() {
            return Ok(());
        }
        let live = self.in_use(namespace).await?;
        let mut result = Ok(());
        for claim in unused.iter().filter(|claim| !live.contains(claim.object.name())) {
            // A failure is this claim's alone.
            result = result.and(self.apply(&claim.object, false).await);
        }
        result
    }

    /// The claims that pods of a namespace use, as the server says.
    async fn in_use(&self, namespace: &str) -> Result<BTreeSet<String>> {
        let scope = Scope::namespace(scheme::PODS, namespace);
        let live = self.context.client.list(&scope, &ListOptions::default()).await?;
        let mut used = BTreeSet::new();
        for pod in live.items {
            let pod = Entry::<PodView>::new(pod)?;
            if !pod.view.is_terminal() {
                used.extend(pod.view.claims(pod.object.name()).map(|claim| claim.to_string()));
            }
        }
        Ok(used)
    }

    async fn apply(&self, claim: &Object, in_use: bool) -> Result<()> {
        let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, claim.namespace(), claim.name());
        let op = plan(key, claim.header(), OF_CLAIMS, in_use).into_iter().collect();
        ops::apply(&*self.context.client, &self.context.recorder, op).await.map(drop)
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
        if request.name.is_empty() {
            self.release(&request.namespace).await?;
        } else if let Some(claim) = self.claims.get(&request.namespace, &request.name) {
            // What stays is protected anyway.
            self.apply(&claim.object, true).await?;
        }
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

/// A claim that stays is a request by itself; those of a namespace that go are one, without a name: one question to the
/// server does for all.
pub(super) fn request(claim: &Object) -> ObjectKey {
    let name = if claim.header().deleting { "" } else { claim.name() };
    ObjectKey::new(claim.namespace(), name)
}
