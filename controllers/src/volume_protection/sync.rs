//! Reads caches, applies the plan.

use super::plan::{OF_CLAIMS, OF_VOLUMES, plan};
use crate::Context;
use crate::support::ops;
use crate::views::{BY_CLAIM, Headers, Pods};
use async_trait::async_trait;
use windlass_core::apis::core::v1::PersistentVolume;
use windlass_core::client::Key;
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
        let users = self.pods.by_index(BY_CLAIM, &request.to_string());
        let in_use = users.iter().any(|pod| !pod.view.is_terminal());
        let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, &request.namespace, &request.name);
        let op = plan(key, claim.object.header(), OF_CLAIMS, in_use);
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
