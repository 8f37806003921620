//! Reads caches, applies the plans.

use super::claim::{self, Around};
use super::fit::{choose, is_reserved_for};
use super::volume;
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::owner::{name_of, namespace_of};
use crate::support::storage::{
    BY_RESERVATION, Caches, FREE, Volume, WAITING, class_of, default_class,
};
use crate::support::writes::Writes;
use crate::views::BY_CLAIM;
use async_trait::async_trait;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::client::{ClientExt, Key};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result, View, scheme};

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    Claim(ObjectKey),
    Volume(String),
    /// The volumes that are reserved for a claim.
    VolumesOf(ObjectKey),
    /// All claims of a class without a volume: one is free now.
    Class(String),
}

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    caches: Caches,
    /// Volumes that were given away, by their names: the cache may show them as free still.
    given: Writes,
}

impl Sync {
    pub(super) fn new(context: &Context, caches: Caches) -> Self {
        let recorder = context.recorder.named("persistentvolume-controller");
        Self { context: context.clone(), recorder, caches, given: Writes::default() }
    }

    fn find_claim(&self, key: &ObjectKey) -> Result<Option<PersistentVolumeClaim>> {
        let found = self.caches.claims.get(&key.namespace, &key.name);
        found.map(|entry| entry.object.view()).transpose()
    }

    fn free(&self, class: &str) -> Vec<Volume> {
        let mut free = self.caches.volumes.by_index(FREE, class);
        free.retain(|volume| {
            self.given.are_shown(&ObjectKey::of(&volume.object), &self.caches.volumes)
        });
        free
    }

    async fn claim(&self, key: &ObjectKey) -> Result<()> {
        let Some(claim) = self.find_claim(key)? else { return Ok(()) };
        let named = claim.spec.as_ref().and_then(|spec| spec.volume_name.clone());
        let named = named.filter(|name| !name.is_empty());
        if claim::is_completed(&claim) {
            let volume = self.bound(&claim, named.as_deref().unwrap_or_default()).await?;
            return self.bind(&claim, volume.as_ref()).await;
        }
        let mut volumes = self.caches.volumes.by_index(BY_RESERVATION, &key.to_string());
        match named {
            Some(name) => volumes.extend(self.caches.volumes.get("", &name)),
            None => volumes.extend(self.free(class_of(&claim))),
        }
        self.choose(&claim, &volumes).await
    }

    /// Binds a claim to one of these volumes, if one fits.
    async fn choose(&self, claim: &PersistentVolumeClaim, volumes: &[Volume]) -> Result<()> {
        let class = self.caches.classes.get("", class_of(claim));
        let chosen = choose(claim, volumes, class.as_ref().map(|class| &class.view));
        let volume: Option<PersistentVolume> =
            chosen.map(|volume| volume.object.view()).transpose()?;
        self.bind(claim, volume.as_ref()).await
    }

    async fn bind(
        &self,
        claim: &PersistentVolumeClaim,
        volume: Option<&PersistentVolume>,
    ) -> Result<()> {
        let (classes, name) = (self.caches.classes.list(None), class_of(claim));
        let class = classes.iter().find(|class| class.object.name() == name);
        let users = self.caches.pods.by_index(BY_CLAIM, &key_of(claim).to_string());
        let unscheduled = users.iter().find(|pod| pod.view.spec.node_name.is_empty());
        let around = Around {
            class: class.map(|class| &class.view),
            default: default_class(&classes),
            unscheduled: unscheduled.map(|pod| pod.object.name()),
        };
        let ops = claim::plan(claim, volume, around);
        let given = volume.filter(|volume| claim::gives(&ops, volume));
        let written = self.apply(ops).await?;
        if let Some(volume) = given {
            self.given.wrote(&ObjectKey::new("", name_of(&volume.metadata)), written);
        }
        Ok(())
    }

    /// The volume of a claim that is bound. Before its data is said to be lost the server is asked.
    async fn bound(
        &self,
        claim: &PersistentVolumeClaim,
        name: &str,
    ) -> Result<Option<PersistentVolume>> {
        let known = self.caches.volumes.get("", name);
        let known: Option<PersistentVolume> = known.map(|entry| entry.object.view()).transpose()?;
        match known.filter(|volume| is_reserved_for(volume, claim)) {
            None if !name.is_empty() => {
                self.ask(&Key::cluster(scheme::PERSISTENTVOLUMES, name)).await
            }
            known => Ok(known),
        }
    }

    async fn volume(&self, name: &str) -> Result<()> {
        let Some(entry) = self.caches.volumes.get("", name) else {
            self.given.forget(&ObjectKey::new("", name));
            return Ok(());
        };
        let volume: PersistentVolume = entry.object.view()?;
        let mut claim = None;
        if let Some(key) = entry.view.claim() {
            claim = self.find_claim(&key)?.filter(|claim| is_reserved_for(&volume, claim));
            // Its end is the end of the volume: no cache is to be trusted with that.
            if claim.is_none() {
                let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, &key.namespace, &key.name);
                claim = self.ask(&key).await?;
            }
        }
        self.apply(volume::plan(&volume, claim.as_ref())).await.map(drop)
    }

    /// Gives what is free of a class to those that wait for it, each volume once.
    async fn class(&self, class: &str) -> Result<()> {
        let (mut free, mut result) = (self.free(class), Ok(()));
        for entry in self.caches.claims.by_index(WAITING, class) {
            if free.is_empty() {
                break;
            }
            let claim: PersistentVolumeClaim = entry.object.view()?;
            let view = self.caches.classes.get("", class);
            let key = ObjectKey::of(&entry.object).to_string();
            // One that was set aside for it before a crash, say, comes first.
            let mut volumes = self.caches.volumes.by_index(BY_RESERVATION, &key);
            volumes.extend(free.iter().cloned());
            let taken = choose(&claim, &volumes, view.as_ref().map(|class| &class.view));
            let Some(taken) = taken else { continue };
            // A failure is this claim's alone; whether it has the volume all the same is not known.
            result = result.and(self.choose(&claim, &volumes).await);
            free.retain(|volume| volume.object.name() != taken.object.name());
        }
        result
    }

    async fn ask<T: View>(&self, key: &Key) -> Result<Option<T>> {
        match self.context.client.get_as(key).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<u64> {
        ops::apply(&*self.context.client, &self.recorder, ops).await
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = Request;
    type Error = Error;

    async fn reconcile(&self, request: &Request) -> Result<Action> {
        match request {
            Request::Claim(key) => self.claim(key).await?,
            Request::Volume(name) => self.volume(name).await?,
            Request::VolumesOf(key) => {
                for volume in self.caches.volumes.by_index(BY_RESERVATION, &key.to_string()) {
                    self.volume(volume.object.name()).await?;
                }
            }
            Request::Class(class) => self.class(class).await?,
        }
        Ok(Action::Done)
    }
}

fn key_of(claim: &PersistentVolumeClaim) -> ObjectKey {
    ObjectKey::new(namespace_of(&claim.metadata), name_of(&claim.metadata))
}
