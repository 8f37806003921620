//! Reads caches, makes and removes folders, writes volumes.

use super::plan::{self, Place, Step};
use super::{PROVISIONER, folders};
use crate::Context;
use crate::support::ops::{self, Op};
use crate::support::owner::{reference, uid_of};
use crate::support::storage::{Caches, SELECTED_NODE, class_of};
use crate::views::BY_CLAIM;
use async_trait::async_trait;
use serde_json::json;
use std::path::PathBuf;
use windlass_core::View;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::client::{ClientExt, DeleteOptions, Key};
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::scheme::{self, GroupVersionKind};

const CLAIM: GroupVersionKind = GroupVersionKind::new("", "v1", "PersistentVolumeClaim");

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    Claim(ObjectKey),
    Volume(String),
}

/// Why a volume could not be made or deleted. Retried with back-off.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The server said no.
    #[error(transparent)]
    Client(#[from] windlass_core::Error),
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
}

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    place: Place,
    caches: Caches,
}

impl Sync {
    pub(super) fn new(context: &Context, place: Place, caches: Caches) -> Self {
        let recorder = context.recorder.named(PROVISIONER);
        Self { context: context.clone(), recorder, place, caches }
    }

    async fn claim(&self, key: &ObjectKey) -> Result<(), Error> {
        let Some(entry) = self.caches.claims.get(&key.namespace, &key.name) else { return Ok(()) };
        let claim: PersistentVolumeClaim = entry.object.view()?;
        let class = self.caches.classes.get("", class_of(&claim));
        let about = reference(&CLAIM, &claim.metadata);
        let users = self.caches.pods.by_index(BY_CLAIM, &key.to_string());
        let used_here = users.iter().any(|pod| pod.view.is_active());
        let class = class.as_ref().map(|class| &class.view);
        match plan::claim(&self.place, &claim, class, used_here) {
            Step::Nothing => Ok(()),
            Step::Select => {
                let version = &claim.metadata.resource_version;
                let selected = json!({SELECTED_NODE: self.place.node});
                let patch =
                    json!({"metadata": {"resourceVersion": version, "annotations": selected}});
                let key = Key::new(scheme::PERSISTENTVOLUMECLAIMS, &key.namespace, &key.name);
                self.apply(vec![Op::Patch(key, patch)]).await
            }
            Step::Refuse(why) => {
                let message = format!(
                    "failed to provision volume with StorageClass \"{}\": {why}",
                    class_of(&claim)
                );
                self.apply(vec![Op::warning(about, "ProvisioningFailed", message)]).await
            }
            Step::Make(path, volume) => {
                let made = folders::make(path.clone()).await;
                if let Err(source) = made {
                    let message = format!("{}: {source}", path.display());
                    self.apply(vec![Op::warning(about, "ProvisioningFailed", message)]).await?;
                    return Err(Error::Folder { path, source });
                }
                let name = volume["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let told = format!("Successfully provisioned volume {name}");
                let event = Op::normal(about, "ProvisioningSucceeded", told);
                let key = Key::cluster(scheme::PERSISTENTVOLUMES, name);
                self.apply(vec![Op::Create(key, volume), event]).await
            }
        }
    }

    /// Deletes a volume that nobody claims. That is for the server to say: a cache may be old, and the folder is all there
    /// is of the data.
    async fn volume(&self, name: &str) -> Result<(), Error> {
        let key = Key::cluster(scheme::PERSISTENTVOLUMES, name);
        let Some(volume) = self.ask::<PersistentVolume>(&key).await? else { return Ok(()) };
        let Some(path) = plan::discarded(&self.place, &volume) else { return Ok(()) };
        if let Some(claim) = plan::claim_key(&volume)
            && let Some(claim) = self.ask::<PersistentVolumeClaim>(&claim).await?
            && plan::is_claimed_by(&volume, &claim)
        {
            return Ok(());
        }
        let removed = folders::remove(path.clone()).await;
        removed.map_err(|source| Error::Folder { path, source })?;
        let options = DeleteOptions::uid(uid_of(&volume.metadata));
        self.apply(vec![Op::Delete(key, options)]).await
    }

    async fn ask<T: View>(&self, key: &Key) -> Result<Option<T>, Error> {
        match self.context.client.get_as(key).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn apply(&self, ops: Vec<Op>) -> Result<(), Error> {
        ops::apply(&*self.context.client, &self.recorder, ops).await?;
        Ok(())
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = Request;
    type Error = Error;

    async fn reconcile(&self, request: &Request) -> Result<Action, Error> {
        match request {
            Request::Claim(key) => self.claim(key).await?,
            Request::Volume(name) => self.volume(name).await?,
        }
        Ok(Action::Done)
    }
}
