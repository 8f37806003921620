//! Reads caches, applies the plan.

use super::POD;
use super::plan::{FOR, Step, claim, missing, step, unprotected, users};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::owner::reference_of;
use crate::support::writes::{Writes, ask};
use crate::views::{BY_CONTROLLER, Headers, Pod, Pods};
use async_trait::async_trait;
use rustc_hash::FxHashMap;
use serde_json::{Value, json};
use std::sync::Arc;
use windlass_core::apis::resource::v1::{ResourceClaim, ResourceClaimTemplate};
use windlass_core::cache::Entry;
use windlass_core::client::{ClientExt, DeleteOptions, Key, ListOptions, Scope};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::object::Header;
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
    /// Claims that the cache may not show yet, by pod.
    writes: Writes,
}

impl Sync {
    pub(super) fn new(context: &Context, pods: Pods, claims: Headers) -> Self {
        let recorder = context.recorder.named("resource_claim");
        Self { context: context.clone(), recorder, pods, claims, writes: Writes::default() }
    }

    async fn pod(&self, key: &ObjectKey) -> Result<Action> {
        let Some(pod) = self.pods.get(&key.namespace, &key.name) else { return Ok(Action::Done) };
        let missing = if pod.view.is_active() { missing(&pod.view) } else { vec![] };
        if missing.is_empty() {
            return Ok(Action::Done);
        }
        if !self.writes.are_shown(key, &self.claims) {
            return Ok(Writes::wait());
        }
        let mut told = vec![];
        for (name, template) in missing {
            match self.made(key, &pod, name, template).await {
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
        self.apply(vec![Op::Strategic(path, patch)]).await?;
        Ok(Action::Done)
    }

    /// The claim that was made for a pod: before a crash, or now.
    async fn made(&self, key: &ObjectKey, pod: &Pod, name: &str, template: &str) -> Result<String> {
        let header = pod.object.header();
        for found in self.claims.by_index(BY_CONTROLLER, &header.uid) {
            let claim: ResourceClaim = found.object.view()?;
            let notes = claim.metadata.annotations.unwrap_or_default();
            if notes.get(FOR).is_some_and(|made_for| made_for == name) {
                return Ok(found.object.name().to_owned());
            }
        }
        let at = Key::new(scheme::RESOURCECLAIMTEMPLATES, &*header.namespace, template);
        let template: ResourceClaimTemplate = self.context.client.get_as(&at).await?;
        let at = Key::new(scheme::RESOURCECLAIMS, &*header.namespace, "");
        let made = self.context.client.create_from(&at, &claim(header, name, &template)).await;
        match &made {
            Ok(made) => self.writes.wrote(key, made.resource_version()),
            Err(Error::Transport(_)) => self.learn_what_was_made(key, header).await,
            Err(_) => {}
        }
        Ok(made?.name().to_owned())
    }

    /// When an answer got lost, a claim may have been made: the cache has to show all there is now.
    async fn learn_what_was_made(&self, key: &ObjectKey, pod: &Header) {
        let scope = Scope::namespace(scheme::RESOURCECLAIMS, &*pod.namespace);
        let options = ListOptions::default();
        let Some(all) = ask(|| self.context.client.list(&scope, &options)).await else { return };
        let mine = all.items.iter().map(|claim| claim.header());
        let mine = mine.filter(|claim| claim.controller().is_some_and(|one| one.uid == pod.uid));
        self.writes.wrote(key, mine.map(|claim| claim.resource_version).max().unwrap_or(0));
    }

    async fn claim(&self, key: &ObjectKey) -> Result<()> {
        let Some(entry) = self.claims.get(&key.namespace, &key.name) else { return Ok(()) };
        let claim: ResourceClaim = entry.object.view()?;
        let header = entry.object.header();
        let owner = header.controller().filter(|owner| *owner.kind == *"Pod");
        let pods = self.pods_of(&key.namespace, users(&claim, owner)).await?;
        let find = |name: &str| pods.get(name).cloned();
        let pod = owner
            .and_then(|owner| find(&owner.name).filter(|pod| pod.object.header().uid == owner.uid));
        let path = Key::new(scheme::RESOURCECLAIMS, &key.namespace, &key.name);
        let version = header.resource_version;
        match step(&claim, owner.is_some(), pod.as_ref(), find) {
            Step::Keep => Ok(()),
            Step::Delete => {
                self.apply(vec![Op::Delete(path, DeleteOptions::uid(&*header.uid))]).await.map(drop)
            }
            Step::Unprotect(left) => self.unprotect(path, header, version, left).await,
            Step::Reserve(status) => {
                let free = status["allocation"].is_null();
                let patch = json!({"metadata": meta(header, version), "status": status});
                let patch = Op::Patch(path.clone().subresource("status"), patch);
                let version = self.apply(vec![patch]).await?;
                // Unless somebody gives it devices again at this moment.
                match unprotected(&claim).filter(|_| free && version > 0) {
                    Some(left) => self.unprotect(path, header, version, left).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn unprotect(
        &self,
        path: Key,
        header: &Header,
        version: u64,
        left: Vec<String>,
    ) -> Result<()> {
        let mut meta = meta(header, version);
        meta["finalizers"] = json!(left);
        self.apply(vec![Op::Patch(path, json!({"metadata": meta}))]).await.map(drop)
    }

    /// The pods of these names and uids. A cache may not show a pod yet that has the claim already, so the server is asked for
    /// those it lacks.
    async fn pods_of(
        &self,
        namespace: &str,
        users: Vec<(String, String)>,
    ) -> Result<FxHashMap<String, Pod>> {
        let mut found = FxHashMap::default();
        for (name, uid) in users {
            let known = self.pods.get(namespace, &name);
            let known = known.filter(|pod| *pod.object.header().uid == *uid);
            let pod = match known {
                Some(pod) => Some(pod),
                None => self.ask(&Key::new(scheme::PODS, namespace, &name)).await?,
            };
            pod.into_iter().for_each(|pod| drop(found.insert(name.clone(), pod)));
        }
        Ok(found)
    }

    async fn ask(&self, key: &Key) -> Result<Option<Pod>> {
        match self.context.client.get(key).await {
            Ok(pod) => Ok(Some(Arc::new(Entry::new(pod)?))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<u64> {
        ops::apply(&*self.context.client, &self.recorder, ops).await
    }
}

/// That a patch is of this very version.
fn meta(header: &Header, version: u64) -> Value {
    json!({"uid": header.uid, "resourceVersion": version.to_string()})
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
                self.pod(key).await
            }
            Request::Claim(key) => {
                self.claim(key).await?;
                Ok(Action::Done)
            }
        }
    }
}

impl Sync {
    fn claims_of(&self, pod: &ObjectKey) -> Vec<ObjectKey> {
        let Some(pod) = self.pods.get(&pod.namespace, &pod.name) else { return vec![] };
        let claims = self.claims.by_index(BY_CONTROLLER, &pod.object.header().uid);
        claims.iter().map(|claim| ObjectKey::of(&claim.object)).collect()
    }
}
