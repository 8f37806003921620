//! Reads caches, applies the plan.

use super::POD;
use super::plan::{FOR, Step, claim, missing, step};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::owner::reference_of;
use crate::views::{BY_CONTROLLER, Headers, Pod, Pods};
use async_trait::async_trait;
use serde_json::json;
use windlass_core::apis::resource::v1::{ResourceClaim, ResourceClaimTemplate};
use windlass_core::client::{ClientExt, DeleteOptions, Key};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result, scheme};

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    Pod(ObjectKey),
    Claim(ObjectKey),
}

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    pods: Pods,
    claims: Headers,
}

impl Sync {
    pub(super) fn new(context: &Context, pods: Pods, claims: Headers) -> Self {
        let recorder = context.recorder.named("resource_claim");
        Self { context: context.clone(), recorder, pods, claims }
    }

    async fn pod(&self, key: &ObjectKey) -> Result<()> {
        let Some(pod) = self.pods.get(&key.namespace, &key.name) else { return Ok(()) };
        if !pod.view.is_active() {
            return Ok(());
        }
        let missing = missing(&pod.view);
        if missing.is_empty() {
            return Ok(());
        }
        let mut told = vec![];
        for (name, template) in missing {
            match self.made(&pod, name, template).await {
                Ok(made) => told.push(json!({"name": name, "resourceClaimName": made})),
                Err(error) => {
                    let about = reference_of(&POD, pod.object.header());
                    let message = format!("PodResourceClaim {name}: {error}");
                    let event = Op::warning(about, "FailedResourceClaimCreation", message);
                    self.apply(vec![event]).await?;
                    return Err(error);
                }
            }
        }
        let header = pod.object.header();
        let patch =
            json!({"metadata": {"uid": header.uid}, "status": {"resourceClaimStatuses": told}});
        let path = Key::new(scheme::PODS, &key.namespace, &key.name).subresource("status");
        self.apply(vec![Op::Strategic(path, patch)]).await
    }

    /// The claim that was made for a pod: before a crash, or now. The server is asked, a cache may not show it yet.
    async fn made(&self, pod: &Pod, name: &str, template: &str) -> Result<String> {
        let header = pod.object.header();
        let options = windlass_core::client::ListOptions::default();
        let scope =
            windlass_core::client::Scope::namespace(scheme::RESOURCECLAIMS, &*header.namespace);
        for found in self.context.client.list(&scope, &options).await?.items {
            let mine = found.header().controller().is_some_and(|owner| owner.uid == header.uid);
            let view: ResourceClaim = found.view()?;
            let notes = view.metadata.annotations.unwrap_or_default();
            if mine && notes.get(FOR).is_some_and(|made_for| made_for == name) {
                return Ok(found.name().to_owned());
            }
        }
        let key = Key::new(scheme::RESOURCECLAIMTEMPLATES, &*header.namespace, template);
        let template: ResourceClaimTemplate = self.context.client.get_as(&key).await?;
        let key = Key::new(scheme::RESOURCECLAIMS, &*header.namespace, "");
        let made = self.context.client.create_from(&key, &claim(header, name, &template)).await?;
        Ok(made.name().to_owned())
    }

    async fn claim(&self, key: &ObjectKey) -> Result<()> {
        let Some(entry) = self.claims.get(&key.namespace, &key.name) else { return Ok(()) };
        let claim: ResourceClaim = entry.object.view()?;
        let header = entry.object.header();
        let owner = header.controller().filter(|owner| *owner.kind == *"Pod");
        let find = |name: &str| self.pods.get(&key.namespace, name);
        let pod = owner
            .and_then(|owner| find(&owner.name).filter(|pod| pod.object.header().uid == owner.uid));
        let path = Key::new(scheme::RESOURCECLAIMS, &key.namespace, &key.name);
        let op = match step(&claim, owner.is_some(), pod.as_ref(), find) {
            Step::Keep => return Ok(()),
            Step::Delete => Op::Delete(path, DeleteOptions::uid(&*header.uid)),
            Step::Reserve(status) => {
                let version = header.resource_version.to_string();
                let patch = json!({"metadata": {"uid": header.uid, "resourceVersion": version}, "status": status});
                Op::Patch(path.subresource("status"), patch)
            }
        };
        self.apply(vec![op]).await
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<()> {
        ops::apply(&*self.context.client, &self.recorder, ops).await.map(drop)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = Request;
    type Error = Error;

    async fn reconcile(&self, request: &Request) -> Result<Action> {
        match request {
            Request::Pod(key) => {
                // A pod that is over may leave claims that were made for it.
                for claim in self.claims_of(key) {
                    self.claim(&claim).await?;
                }
                self.pod(key).await?;
            }
            Request::Claim(key) => self.claim(key).await?,
        }
        Ok(Action::Done)
    }
}

impl Sync {
    fn claims_of(&self, pod: &ObjectKey) -> Vec<ObjectKey> {
        let Some(pod) = self.pods.get(&pod.namespace, &pod.name) else { return vec![] };
        let claims = self.claims.by_index(BY_CONTROLLER, &pod.object.header().uid);
        claims.iter().map(|claim| ObjectKey::of(&claim.object)).collect()
    }
}
