//! Reads caches, applies the plan.

use super::plan::{
    Attached, AttachmentView, Snapshot, Wanted, attachment_name, is_exclusive, plan,
};
use super::promises::{Place, Promises, Shown};
use super::{BY_NODE, BY_VOLUME};
use crate::Context;
use crate::support::endpoints::Nodes;
use crate::support::{ops, time};
use crate::views::{self, Headers, Pod, Pods};
use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use windlass_core::apis::core::v1::{
    CSIPersistentVolumeSource, PersistentVolume, PersistentVolumeClaim,
};
use windlass_core::apis::storage::v1::CSIDriver;
use windlass_core::cache::Informer;
use windlass_core::client::Key;
use windlass_core::controller::{Action, ObjectKey, Reconciler};
use windlass_core::events::Recorder;
use windlass_core::{Error, Result, scheme};

pub(super) struct Caches {
    pub(super) nodes: Nodes,
    pub(super) pods: Pods,
    pub(super) claims: Headers,
    pub(super) volumes: Headers,
    pub(super) drivers: Headers,
    pub(super) attachments: Arc<Informer<AttachmentView>>,
}

type Unwanted = FxHashMap<String, Timestamp>;

pub(super) struct Sync {
    context: Context,
    recorder: Recorder,
    caches: Caches,
    /// By node: since when each attachment is of no use, by uid.
    unwanted: Mutex<FxHashMap<String, Unwanted>>,
    promises: Promises,
}

impl Sync {
    pub(super) fn new(context: &Context, caches: Caches) -> Self {
        let recorder = context.recorder.named("attachdetach-controller");
        let (unwanted, promises) = Default::default();
        Self { context: context.clone(), recorder, caches, unwanted, promises }
    }

    /// The volumes that the node's pods need and that have to be attached.
    fn wanted(&self, node: &str) -> Result<BTreeMap<String, Wanted>> {
        let mut all: BTreeMap<String, Wanted> = BTreeMap::new();
        for pod in self.caches.pods.by_index(views::BY_NODE, node) {
            if pod.view.is_terminal() {
                continue;
            }
            for claim in pod.view.claims(pod.object.name()) {
                if let Some((name, wanted)) = self.volume(node, &pod, &claim)? {
                    all.entry(name).or_insert(wanted).pods.push(pod.clone());
                }
            }
        }
        Ok(all)
    }

    fn volume(&self, node: &str, pod: &Pod, claim: &str) -> Result<Option<(String, Wanted)>> {
        let Some(claim) = self.caches.claims.get(pod.object.namespace(), claim) else {
            return Ok(None);
        };
        let claim: PersistentVolumeClaim = claim.object.view()?;
        let bound = claim.status.and_then(|status| status.phase).as_deref() == Some("Bound");
        let name = claim.spec.and_then(|spec| spec.volume_name).filter(|_| bound);
        let Some(name) = name else { return Ok(None) };
        let Some(volume) = self.caches.volumes.get("", &name) else { return Ok(None) };
        let volume: PersistentVolume = volume.object.view()?;
        let spec = volume.spec.unwrap_or_default();
        let Some(source) = spec.csi else { return Ok(None) };
        if !self.has_to_be_attached(&source)? {
            return Ok(None);
        }
        let (driver, handle) = (source.driver, source.volume_handle);
        let place = match is_exclusive(spec.access_modes.as_deref().unwrap_or_default()) {
            true => self.place(&name, (node, &attachment_name(&handle, &driver, node))),
            false => Place::Here,
        };
        Ok(Some((name, Wanted { driver, handle, place, pods: vec![] })))
    }

    /// Where a volume for one node is.
    fn place(&self, volume: &str, asks: (&str, &str)) -> Place {
        self.promises.take(volume, asks, || {
            let cache = &self.caches.attachments;
            // The version first: what is attached by then is in the index.
            let version = cache.resource_version();
            let all = cache.by_index(BY_VOLUME, volume);
            Shown { version, on: all.iter().map(|one| one.view.spec.node_name.clone()).collect() }
        })
    }

    /// Asks the server what became of the attachments for which the node was promised volumes.
    async fn settle(&self, node: &str) -> Result<()> {
        for (volume, name) in self.promises.open(node) {
            let key = Key::cluster(scheme::VOLUMEATTACHMENTS, name);
            match self.context.client.get(&key).await {
                Ok(made) => self.promises.settle(&volume, Some(made.resource_version())),
                Err(error) if error.is_not_found() => self.promises.settle(&volume, None),
                Err(error) => return Err(error),
            }
        }
        self.promises.forget(self.caches.attachments.resource_version());
        Ok(())
    }

    fn has_to_be_attached(&self, source: &CSIPersistentVolumeSource) -> Result<bool> {
        let Some(driver) = self.caches.drivers.get("", &source.driver) else { return Ok(true) };
        let driver: CSIDriver = driver.object.view()?;
        Ok(driver.spec.attach_required != Some(false))
    }

    fn attached(
        &self,
        node: &str,
        wanted: &BTreeMap<String, Wanted>,
        now: Timestamp,
    ) -> Result<BTreeMap<String, Attached>> {
        let before = self.unwanted.lock().remove(node).unwrap_or_default();
        let (mut all, mut unwanted) = (BTreeMap::new(), Unwanted::default());
        for entry in self.caches.attachments.by_index(BY_NODE, node) {
            let (header, volume) = (entry.object.header(), entry.view.volume());
            if volume.is_empty() {
                continue;
            }
            let uid = header.uid.to_string();
            let mut since = now;
            if !wanted.contains_key(volume) {
                since = before.get(&uid).copied().unwrap_or(now);
                unwanted.insert(uid.clone(), since);
            }
            let source = self.caches.volumes.get("", volume);
            let source =
                source.map(|volume| volume.object.view::<PersistentVolume>()).transpose()?;
            let source = source.and_then(|volume| volume.spec).and_then(|spec| spec.csi);
            let attached = Attached {
                name: header.name.to_string(),
                uid,
                driver: entry.view.spec.attacher.clone(),
                handle: source.map(|source| source.volume_handle),
                attached: entry.view.status.attached,
                deleting: header.deleting,
                unwanted: since,
            };
            all.insert(volume.to_owned(), attached);
        }
        if !unwanted.is_empty() {
            self.unwanted.lock().insert(node.to_owned(), unwanted);
        }
        Ok(all)
    }
}

#[async_trait]
impl Reconciler for Sync {
    type Request = ObjectKey;
    type Error = Error;

    async fn reconcile(&self, request: &ObjectKey) -> Result<Action> {
        let now = time::now(&self.context.env);
        let wanted = self.wanted(&request.name)?;
        let attached = self.attached(&request.name, &wanted, now)?;
        let node = self.caches.nodes.get("", &request.name);
        let view = node.as_ref().map(|node| &node.view);
        let plan = plan(&Snapshot { node: &request.name, view, wanted, attached, now });
        let applied = ops::apply(&*self.context.client, &self.recorder, plan.ops).await;
        self.settle(&request.name).await?;
        applied?;
        Ok(plan.again.map_or(Action::Done, Action::RequeueAfter))
    }
}
