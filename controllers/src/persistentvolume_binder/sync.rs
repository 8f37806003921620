//! Reads caches, applies the plans.

use super::claim::{self, Around};
use super::volume;
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::storage::{Classes, class_of, default_class};
use crate::views::{BY_CLAIM, Headers, Pods};
use async_trait::async_trait;
use std::time::Duration;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result};

/// How long after one waiting claim the next is looked at.
const NEXT: Duration = Duration::from_millis(100);

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    Claim(ObjectKey),
    Volume(String),
    /// The volume that a claim names, or that names it.
    VolumeOf(ObjectKey),
    /// The claim that a volume names.
    ClaimOf(String),
    /// All claims without a volume.
    Waiting,
}

pub(super) struct Caches {
    pub(super) claims: Headers,
    pub(super) volumes: Headers,
    pub(super) classes: Classes,
    pub(super) pods: Pods,
}

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    caches: Caches,
}

impl Sync {
    pub(super) fn new(context: &Context, caches: Caches) -> Self {
        let recorder = context.recorder.named("persistentvolume-controller");
        Self { context: context.clone(), recorder, caches }
    }

    fn volumes(&self) -> Result<Vec<PersistentVolume>> {
        self.caches.volumes.list(None).iter().map(|entry| entry.object.view()).collect()
    }

    fn find_claim(&self, key: &ObjectKey) -> Result<Option<PersistentVolumeClaim>> {
        self.caches
            .claims
            .get(&key.namespace, &key.name)
            .map(|entry| entry.object.view())
            .transpose()
    }

    fn claim(&self, key: &ObjectKey) -> Result<Vec<Op>> {
        let Some(found) = self.find_claim(key)? else { return Ok(vec![]) };
        self.plan_claim(&found)
    }

    fn plan_claim(&self, claim: &PersistentVolumeClaim) -> Result<Vec<Op>> {
        let (classes, name) = (self.caches.classes.list(None), class_of(claim));
        let class = classes.iter().find(|class| class.object.name() == name);
        let key = ObjectKey::new(
            claim.metadata.namespace.clone().unwrap_or_default(),
            claim.metadata.name.clone().unwrap_or_default(),
        );
        let users = self.caches.pods.by_index(BY_CLAIM, &key.to_string());
        let unscheduled = users.iter().find(|pod| pod.view.spec.node_name.is_empty());
        let around = Around {
            class: class.map(|class| &class.view),
            default: default_class(&classes),
            unscheduled: unscheduled.map(|pod| pod.object.name()),
        };
        Ok(claim::plan(claim, &self.volumes()?, around))
    }

    fn volume(&self, volume: &PersistentVolume) -> Result<Vec<Op>> {
        let claim = claim_of(volume).map(|key| self.find_claim(&key)).transpose()?.flatten();
        Ok(volume::plan(volume, claim.as_ref()))
    }

    fn waiting(&self) -> Result<Option<PersistentVolumeClaim>> {
        let volumes = self.volumes()?;
        for entry in self.caches.claims.list(None) {
            let claim: PersistentVolumeClaim = entry.object.view()?;
            let class = self.caches.classes.get("", class_of(&claim));
            let class = class.as_ref().map(|class| &class.view);
            let may = !claim::is_completed(&claim);
            if may && claim::candidate(&claim, &volumes, class).is_some() {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }

    fn plan(&self, request: &Request) -> Result<Vec<Op>> {
        let get = |name: &str| -> Result<Option<PersistentVolume>> {
            self.caches.volumes.get("", name).map(|entry| entry.object.view()).transpose()
        };
        match request {
            Request::Claim(key) => self.claim(key),
            Request::Volume(name) => get(name)?.map_or(Ok(vec![]), |volume| self.volume(&volume)),
            Request::ClaimOf(name) => {
                let key = get(name)?.as_ref().and_then(claim_of);
                key.map_or(Ok(vec![]), |key| self.claim(&key))
            }
            Request::VolumeOf(key) => {
                let volumes = self.volumes()?;
                let volume = volumes.iter().find(|volume| claim_of(volume).as_ref() == Some(key));
                volume.map_or(Ok(vec![]), |volume| self.volume(volume))
            }
            // One at a time: what is chosen for it has to be seen before the next may choose.
            Request::Waiting => {
                let claim = self.waiting()?;
                claim.map_or(Ok(vec![]), |claim| self.plan_claim(&claim))
            }
        }
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = Request;
    type Error = Error;

    async fn reconcile(&self, request: &Request) -> Result<Action> {
        let ops = self.plan(request)?;
        let more = *request == Request::Waiting && !ops.is_empty();
        ops::apply(&*self.context.client, &self.recorder, ops).await?;
        // By then the caches show what was chosen.
        Ok(if more { Action::RequeueAfter(NEXT) } else { Action::Done })
    }
}

fn claim_of(volume: &PersistentVolume) -> Option<ObjectKey> {
    let reserved = volume.spec.as_ref()?.claim_ref.as_ref()?;
    Some(ObjectKey::new(reserved.namespace.clone()?, reserved.name.clone()?))
}
