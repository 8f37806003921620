//! Volumes of CSI drivers: staged once on the node, published to each pod.
//!
//! ```text
//! <root>/plugins/kubernetes.io/csi/<driver>/<hash of the handle>/globalmount      staged here
//!                                                                vol_data.json    what it is
//! <root>/pods/<uid>/volumes/kubernetes.io~csi/<name>/mount                        published here
//!                                                    vol_data.json
//! ```
//!
//! What is on disk is enough to undo it, whoever did it: `vol_data.json` is written before, and taken away after.

mod attachment;
mod expand;
mod record;
mod source;
mod tear_down;

use super::{Made, Setup, VolumeError, VolumePlugin, blocking, mounts, ownership, secret, token};
use crate::config::Config;
use crate::plugins::csi::{Capability, Driver, Drivers};
use crate::plugins::proto::csi::volume_capability::{AccessMode, AccessType, MountVolume};
use crate::plugins::proto::csi::{
    NodePublishVolumeRequest, NodeStageVolumeRequest, VolumeCapability,
};
use crate::plugins::refusal;
use crate::pod::PodExt;
use async_trait::async_trait;
use parking_lot::Mutex;
use record::{Found, Record};
use serde_json::json;
use source::Source;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use windlass_core::apis::core::v1::{
    PersistentVolume, PersistentVolumeClaim, SecretReference, ServiceAccountTokenProjection, Volume,
};
use windlass_core::apis::storage::v1::{CSIDriver, CSIDriverSpec};
use windlass_core::scheme::CSIDRIVERS;

/// A volume whose driver wants that is published anew after so long.
const REPUBLISH: Duration = Duration::from_secs(60);

/// What all CSI volumes of the node share.
pub(crate) struct Csi {
    pub(crate) drivers: Arc<Drivers>,
    root: PathBuf,
    /// One at a time stages, publishes or undoes one volume.
    locks: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    /// Where this agent has published.
    published: Mutex<BTreeSet<PathBuf>>,
    /// Told when pods use more or fewer volumes.
    changed: Notify,
}

/// The volumes that pods of this node use.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct InUse {
    /// By the names that Node status has for them.
    pub(crate) names: BTreeSet<String>,
    /// There may be others: not all that is on disk can be read.
    pub(crate) and_others: bool,
}

/// Volumes that a pod brings itself.
pub(super) struct Inline;

// === impl Csi ===

impl Csi {
    pub(crate) fn new(config: &Config, drivers: Arc<Drivers>) -> Self {
        let root = config.root_dir.clone();
        let (locks, published) = (Mutex::default(), Mutex::default());
        Self { drivers, root, locks, published, changed: Notify::new() }
    }

    /// The volumes that pods of this node use.
    ///
    /// # Errors
    /// When the agent's folder can't be read.
    pub(crate) async fn in_use(&self) -> Result<InUse, VolumeError> {
        let root = self.root.clone();
        let found = blocking(move || Found::all(&root)).await?;
        for error in &found.unreadable {
            tracing::error!(%error, "a CSI volume of a pod can't be told");
        }
        let lasting = found.records.iter().filter(|(_, record)| !record.is_ephemeral());
        let names = lasting.map(|(_, record)| record.unique_name()).collect();
        Ok(InUse { names, and_others: !found.unreadable.is_empty() })
    }

    /// Returns when what is in use may have changed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self, record: &Record) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock();
        locks.retain(|_, lock| lock.strong_count() > 0);
        let name = record.unique_name();
        if let Some(lock) = locks.get(&name).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::<tokio::sync::Mutex<()>>::default();
        locks.insert(name, Arc::downgrade(&lock));
        lock
    }
}

#[async_trait]
impl VolumePlugin for Inline {
    fn claims(&self, volume: &Volume) -> bool {
        volume.csi.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        Mounting::new(setup, Source::inline(setup)).await?.mount().await
    }
}

/// What a claim is bound to, if it is of a driver: `read_only` says whether the pod wants it so.
pub(super) async fn persistent(
    setup: &Setup<'_>,
    volume: &PersistentVolume,
    claim: &PersistentVolumeClaim,
    read_only: bool,
) -> Result<Made, VolumeError> {
    let mounting = Mounting::new(setup, Source::persistent(volume, read_only)?).await?;
    let made = mounting.mount().await?;
    expand::if_wanted(&mounting, volume, claim).await?;
    Ok(made)
}

/// One volume on its way into one pod.
struct Mounting<'a> {
    setup: &'a Setup<'a>,
    csi: &'a Csi,
    source: Source,
    driver: Arc<Driver>,
    /// What the API says of the driver; the defaults when it says nothing.
    rules: CSIDriverSpec,
    record: Record,
}

impl<'a> Mounting<'a> {
    async fn new(setup: &'a Setup<'a>, source: Source) -> Result<Self, VolumeError> {
        let csi = &*setup.host.csi;
        let (uid, name) = (setup.pod.uid(), source.driver.clone());
        let object = setup.host.references.get(uid, CSIDRIVERS, "", &name).await?;
        let rules = object.map(|object| object.view::<CSIDriver>()).transpose()?;
        source.check(rules.as_ref().map(|driver| &driver.spec))?;
        let driver = csi.drivers.get(&name).map_err(VolumeError::Unmet)?;
        let rules = rules.map(|driver| driver.spec).unwrap_or_default();
        let record = source.record(&setup.host.config.node_name);
        Ok(Self { setup, csi, source, driver, rules, record })
    }

    /// The folder of the pod's mount.
    fn folder(&self) -> PathBuf {
        record::pod_folder(&self.csi.root, self.setup.pod.uid()).join(&self.source.name)
    }

    fn stages(&self) -> bool {
        !self.source.ephemeral && self.driver.can(Capability::StageUnstageVolume)
    }

    async fn mount(&self) -> Result<Made, VolumeError> {
        let target = self.folder().join("mount");
        let again = self.rules.requires_republish == Some(true);
        let now = self.setup.host.env.clock.now();
        let made = Made {
            path: target.clone(),
            read_only: self.source.read_only,
            renew_at: again.then(|| now + REPUBLISH),
        };
        if self.csi.published.lock().contains(&target) && !again {
            return Ok(made);
        }
        let context = self.publish_context().await?;
        let lock = self.csi.lock(&self.record);
        let _one = lock.lock().await;
        self.begin().await?;
        let staged = if self.stages() { Some(self.stage(&context).await?) } else { None };
        self.publish(&context, staged.as_deref(), &target).await?;
        self.csi.published.lock().insert(target);
        Ok(made)
    }

    /// Writes down that the pod uses the volume: whatever happens now, it will be undone.
    async fn begin(&self) -> Result<(), VolumeError> {
        let (record, folder) = (self.record.clone(), self.folder());
        blocking(move || {
            mounts::make_dir(&folder)?;
            record.write(&folder)
        })
        .await?;
        self.csi.changed.notify_one();
        Ok(())
    }

    /// What the driver's controller said when it attached the volume.
    async fn publish_context(&self) -> Result<BTreeMap<String, String>, VolumeError> {
        if self.source.ephemeral || self.rules.attach_required == Some(false) {
            return Ok(BTreeMap::new());
        }
        attachment::wait(self.setup, &self.record).await
    }

    /// Stages the volume, also when it is staged already: drivers must take that, and only they know.
    async fn stage(&self, context: &BTreeMap<String, String>) -> Result<PathBuf, VolumeError> {
        let folder = self.record.staging(&self.csi.root);
        let staging = folder.join("globalmount");
        let (record, made) = (self.record.clone(), staging.clone());
        blocking(move || {
            mounts::make_dir(&made)?;
            record.write(&folder)
        })
        .await?;
        let request = NodeStageVolumeRequest {
            volume_id: self.source.handle.clone(),
            publish_context: context.clone(),
            staging_target_path: staging.display().to_string(),
            volume_capability: Some(self.capability()),
            secrets: self.secrets(self.source.stage_secret.as_ref()).await?,
            volume_context: self.source.attributes.clone(),
        };
        self.driver.client().node_stage_volume(request).await.map_err(refused)?;
        Ok(staging)
    }

    async fn publish(
        &self,
        context: &BTreeMap<String, String>,
        staged: Option<&Path>,
        target: &Path,
    ) -> Result<(), VolumeError> {
        let request = NodePublishVolumeRequest {
            volume_id: self.source.handle.clone(),
            publish_context: context.clone(),
            staging_target_path: staged.map(|path| path.display().to_string()).unwrap_or_default(),
            target_path: target.display().to_string(),
            volume_capability: Some(self.capability()),
            readonly: self.source.read_only,
            secrets: self.secrets(self.source.publish_secret.as_ref()).await?,
            volume_context: self.volume_context().await?,
        };
        self.driver.client().node_publish_volume(request).await.map_err(refused)?;
        match self.owning_group() {
            Some(group) => {
                let (target, pod) = (target.to_path_buf(), self.setup.pod.clone());
                blocking(move || ownership::give_lasting(&target, group, &pod)).await
            }
            None => Ok(()),
        }
    }

    /// The group that the agent gives the files to, if it is the agent who does that.
    fn owning_group(&self) -> Option<u32> {
        let group = ownership::fs_group(self.setup.pod)?;
        let by_driver = self.driver.can(Capability::VolumeMountGroup);
        let source = &self.source;
        let wanted = match self.rules.fs_group_policy.as_deref() {
            Some("File") => true,
            Some("None") => false,
            _ => !source.fs_type.is_empty() && source.is_of_one_node(),
        };
        (wanted && !by_driver && !source.read_only).then_some(group)
    }

    fn capability(&self) -> VolumeCapability {
        let source = &self.source;
        let group = ownership::fs_group(self.setup.pod)
            .filter(|_| self.driver.can(Capability::VolumeMountGroup));
        let mount = MountVolume {
            fs_type: source.fs_type.clone(),
            mount_flags: source.mount_options.clone(),
            volume_mount_group: group.map(|group| group.to_string()).unwrap_or_default(),
        };
        let precise = self.driver.can(Capability::SingleNodeMultiWriter);
        let mode = source.access_mode(precise).into();
        VolumeCapability {
            access_type: Some(AccessType::Mount(mount)),
            access_mode: Some(AccessMode { mode }),
        }
    }

    async fn secrets(
        &self,
        named: Option<&SecretReference>,
    ) -> Result<BTreeMap<String, String>, VolumeError> {
        let Some(SecretReference { name: Some(name), namespace }) = named else {
            return Ok(BTreeMap::new());
        };
        let namespace = namespace.as_deref().unwrap_or(self.setup.pod.namespace());
        let data = secret::read_in(self.setup, namespace, name).await?;
        let text = |(key, value)| Ok((key, String::from_utf8(value).map_err(|_| ())?));
        let data: Result<_, ()> = data.into_iter().map(text).collect();
        let binary = |()| VolumeError::Unmet(format!("secret \"{name}\" holds what is no text"));
        data.map_err(binary)
    }

    /// What the driver is told of the volume, and of the pod if it wants that.
    async fn volume_context(&self) -> Result<BTreeMap<String, String>, VolumeError> {
        let (mut context, pod) = (self.source.attributes.clone(), self.setup.pod);
        let mut add = |key: &str, value: String| {
            context.insert(format!("csi.storage.k8s.io/{key}"), value);
        };
        if self.rules.pod_info_on_mount == Some(true) {
            let account = pod.pod_spec().service_account_name.clone().unwrap_or_default();
            add("pod.name", pod.name().to_owned());
            add("pod.namespace", pod.namespace().to_owned());
            add("pod.uid", pod.uid().to_owned());
            add("serviceAccount.name", account);
            add("ephemeral", self.source.ephemeral.to_string());
        }
        let mut tokens = serde_json::Map::new();
        for wanted in self.rules.token_requests.iter().flatten() {
            let projection = ServiceAccountTokenProjection {
                audience: Some(wanted.audience.clone()),
                expiration_seconds: wanted.expiration_seconds,
                path: format!("csi:{}", wanted.audience),
            };
            let token = token::current(self.setup, &projection).await?;
            let shown =
                json!({"token": token.text, "expirationTimestamp": token.expires.to_string()});
            tokens.insert(wanted.audience.clone(), shown);
        }
        if !tokens.is_empty() {
            add("serviceAccount.tokens", json!(tokens).to_string());
        }
        Ok(context)
    }
}

fn refused(status: tonic::Status) -> VolumeError {
    VolumeError::Unmet(refusal(&status))
}
