//! The volumes of pods: one plugin for each kind.

mod atomic;
mod claim;
mod config_map;
#[cfg(feature = "plugins")]
pub(crate) mod csi;
mod downward;
mod empty_dir;
mod host_path;
mod image;
pub(crate) mod mounts;
mod ownership;
mod payload;
mod projected;
mod secret;
mod subpath;
mod token;

use crate::config::Config;
use crate::pod::PodExt;
use crate::references::References;
use crate::runtime::Runtime;
use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use payload::Payload;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_core::apis::core::v1::{Pod, Volume, VolumeMount};
use windlass_core::client::Client;
use windlass_core::clock::Env;

/// Why a volume could not be made, in the words of the event. Retry with back-off, or when what is named changes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeError {
    /// What the volume names is missing or of another kind.
    #[error("{0}")]
    Unmet(String),
    /// The system refused.
    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },
    /// The API server said no, or nothing.
    #[error(transparent)]
    Api(#[from] windlass_core::Error),
    /// The API server did not answer in time.
    #[error(transparent)]
    NoAnswer(#[from] crate::references::NoAnswer),
}

/// A volume that is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    /// Where it is on the node.
    pub(crate) path: PathBuf,
    /// No container may write to it.
    pub(crate) read_only: bool,
    /// When it must be made anew.
    pub(crate) renew_at: Option<Timestamp>,
}

/// What a plugin is given.
pub(crate) struct Setup<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) volume: &'a Volume,
    pub(crate) host: &'a VolumeManager,
}

/// A kind of volume.
#[async_trait]
pub(crate) trait VolumePlugin: Send + Sync {
    /// Whether a volume is of this kind.
    fn claims(&self, volume: &Volume) -> bool;
    /// Makes the volume, or brings it up to date. May be called again at any time.
    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError>;
}

/// All kinds.
const PLUGINS: &[&dyn VolumePlugin] = &[
    &empty_dir::EmptyDir,
    &host_path::HostPath,
    &config_map::ConfigMapVolume,
    &secret::SecretVolume,
    &downward::DownwardApi,
    &projected::Projected,
    &claim::Claim,
    &image::Image,
    #[cfg(feature = "plugins")]
    &csi::Inline,
];

/// Makes and removes the volumes of this node's pods.
pub(crate) struct VolumeManager {
    pub(crate) config: Arc<Config>,
    pub(crate) client: Arc<dyn Client>,
    pub(crate) env: Env,
    pub(crate) references: Arc<References>,
    runtime: Arc<dyn Runtime>,
    #[cfg(feature = "plugins")]
    pub(crate) csi: Arc<csi::Csi>,
    pub(crate) tokens: token::Tokens,
    mounted: Mutex<HashMap<String, BTreeMap<String, Made>>>,
}

// === impl VolumeManager ===

impl VolumeManager {
    pub(crate) fn new(
        config: Arc<Config>,
        client: Arc<dyn Client>,
        env: Env,
        references: Arc<References>,
        runtime: Arc<dyn Runtime>,
        #[cfg(feature = "plugins")] csi: Arc<csi::Csi>,
    ) -> Self {
        let tokens = token::Tokens::default();
        Self {
            config,
            client,
            env,
            references,
            runtime,
            #[cfg(feature = "plugins")]
            csi,
            tokens,
            mounted: Mutex::default(),
        }
    }

    /// Makes all volumes of a pod, or brings them up to date; when the first of them must be renewed.
    ///
    /// # Errors
    /// The message for the first volume that can't be made.
    pub(crate) async fn mount(&self, pod: &Pod) -> Result<Option<Timestamp>, String> {
        let mut all = BTreeMap::new();
        for volume in pod.pod_spec().volumes.iter().flatten() {
            let made = self.set_up(pod, volume).await.map_err(|error| {
                format!("MountVolume.SetUp failed for volume \"{}\" : {error}", volume.name)
            })?;
            all.insert(volume.name.clone(), made);
        }
        let renew_at = all.values().filter_map(|made| made.renew_at).min();
        self.mounted.lock().insert(pod.uid().to_owned(), all);
        Ok(renew_at)
    }

    async fn set_up(&self, pod: &Pod, volume: &Volume) -> Result<Made, VolumeError> {
        let plugin = PLUGINS.iter().find(|plugin| plugin.claims(volume));
        let plugin = plugin.ok_or_else(|| {
            VolumeError::Unmet(format!("no volume plugin matched for volume \"{}\"", volume.name))
        })?;
        plugin.set_up(&Setup { pod, volume, host: self }).await
    }

    /// Where a container's mount leads to, and whether it is read-only.
    ///
    /// # Errors
    /// When there is no such volume, or the path in it leads out of it.
    pub(crate) async fn source(
        &self,
        pod: &Pod,
        container: &str,
        mount: &VolumeMount,
        sub_path: Option<String>,
    ) -> Result<(PathBuf, bool), VolumeError> {
        let made = self.mounted.lock().get(pod.uid()).and_then(|all| all.get(&mount.name)).cloned();
        let made = made.ok_or_else(|| {
            VolumeError::Unmet(format!("volume \"{}\" is not mounted", mount.name))
        })?;
        let read_only = made.read_only || mount.read_only == Some(true);
        let Some(sub_path) = sub_path.filter(|path| !path.is_empty()) else {
            return Ok((made.path, read_only));
        };
        let name = subpath::place(container, mount);
        let target = self.config.pod_dir(pod.uid()).join("volume-subpaths").join(name);
        let (root, mounts) = (made.path, self.config.mount_filesystems);
        let path = blocking(move || subpath::resolve(&root, Path::new(&sub_path), &target, mounts));
        Ok((path.await?, read_only))
    }

    /// Takes away all that belongs to a pod. Does nothing when it is gone already.
    pub(crate) async fn unmount(&self, uid: &str) -> Result<(), VolumeError> {
        self.mounted.lock().remove(uid);
        self.tokens.forget(uid);
        self.references.release(uid);
        #[cfg(feature = "plugins")]
        self.csi.tear_down(uid).await?;
        self.unmount_images(uid).await?;
        let dir = self.config.pod_dir(uid);
        blocking(move || mounts::remove_tree(&dir)).await
    }

    /// The uids of pods that have a folder here.
    pub(crate) async fn leftovers(&self) -> Result<Vec<String>, VolumeError> {
        let dir = self.config.root_dir.join("pods");
        blocking(move || mounts::names(&dir)).await
    }
}

impl Setup<'_> {
    /// The volume's own folder: `pods/<uid>/volumes/<kind>/<name>`.
    pub(crate) fn dir(&self, kind: &str) -> PathBuf {
        let pod = self.host.config.pod_dir(self.pod.uid());
        pod.join("volumes").join(format!("kubernetes.io~{kind}")).join(&self.volume.name)
    }

    /// A folder of the pod that is in memory.
    pub(crate) async fn volatile_dir(&self, kind: &str) -> Result<PathBuf, VolumeError> {
        let base = self.host.config.pod_dir(self.pod.uid()).join("volatile");
        if self.host.config.mount_filesystems {
            let base = base.clone();
            blocking(move || mounts::tmpfs(&base, None, None)).await?;
        }
        Ok(base.join(format!("kubernetes.io~{kind}")).join(&self.volume.name))
    }

    /// Writes files so that readers see all of the old ones or all of the new ones.
    pub(crate) async fn write(&self, dir: PathBuf, payload: Payload) -> Result<Made, VolumeError> {
        let renew_at = payload.renew_at;
        let group = ownership::fs_group(self.pod);
        let name = format!("..{:016x}", self.host.env.random.next());
        let (path, at) = (dir.clone(), name);
        blocking(move || atomic::write(&dir, &at, &payload, group)).await?;
        Ok(Made { path, read_only: true, renew_at })
    }
}

/// File system work, on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VolumeError> + Send + 'static,
) -> Result<T, VolumeError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| VolumeError::Unmet(format!("volume work broke off: {error}")))?
}

/// An error of the system with the path it is about.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> VolumeError {
    let context = path.display().to_string();
    move |source| VolumeError::Io { context, source }
}

#[cfg(test)]
mod tests;
