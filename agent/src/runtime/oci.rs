//! Containers without a daemon.
//!
//! Each container has a *shim*: a small process with one thread, in a session and cgroup of its own,
//! that makes the container (with youki's `libcontainer`), holds its streams, writes its log,
//! serves exec and attach over a socket, and notes how it ended. Shims outlive the agent: an
//! [`OciRuntime`] opened later over the same folder finds them by their sockets.
//!
//! The shim is the agent's own program, started again with the argument `oci-shim`: the first thing `main`
//! does must be [`shim_main_if_asked`].
//!
//! A sandbox has no process (unless its containers share a process namespace): its namespaces are
//! held by bind mounts below the run folder.
//!
//! ```text
//! <state>/sandboxes/<id>.json
//! <state>/containers/<id>/   container.json  config.json (OCI)  launch.json  run.json  exit.json
//!                            shim.sock  shim.log  rootfs/  upper/  work/  youki/
//! <run>/<sandbox>/           net  ipc  uts  pid  shm/
//! ```

mod client;
mod containers;
mod image_volumes;
mod pipes;
mod protocol;
mod rootfs;
mod session;
mod shim;

pub use shim::shim_main_if_asked;

use super::linux::containers::Shelf;
use super::linux::sandboxes::SandboxStore;
use super::linux::state::{self, Layout};
use super::linux::{cgroup, events, lost};
use super::{
    AttachRequest, ContainerConfig, ContainerId, ContainerStatus, Containers, Duplex, Error, Event,
    ExecRequest, Limits, Resources, Result, Runtime, SandboxConfig, SandboxId, SandboxStatus,
    SandboxUsage, Sandboxes, Session, Stats, Streams,
};
use crate::images::store::ImageStore;
use crate::images::{Credentials, ImageId, ImageStatus, Images};
use crate::network::Network;
use async_trait::async_trait;
use containers::Own;
use futures::stream::BoxStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use windlass_core::clock::{Clock, SystemClock};

/// The only handler that a RuntimeClass may name here.
const HANDLER: &str = "oci";

/// What an [`OciRuntime`] stands on.
pub struct OciOptions {
    /// Keeps what must survive a restart of the agent.
    pub state_dir: PathBuf,
    /// Keeps what must not survive a restart of the machine: `/run/windlass`.
    pub run_dir: PathBuf,
    /// The cgroup that all pods are in, from the root of the hierarchy: `windlass`.
    pub root_cgroup: String,
    /// Connects sandboxes.
    pub network: Arc<dyn Network>,
    /// Keeps images.
    pub images: ImageStore,
    /// The program whose `main` calls [`shim_main_if_asked`]: `/proc/self/exe`.
    pub helper: PathBuf,
    /// Tells when things are made. (Shims, which live on, have the machine's time.)
    pub clock: Arc<dyn Clock>,
}

/// Runs containers without a daemon. Cheap to clone; all clones are one runtime. One process at a
/// time may have a state folder open.
#[derive(Clone)]
pub struct OciRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    options: OciOptions,
    layout: Layout,
    sandboxes: SandboxStore,
    shelf: Shelf<Own>,
    overlay: bool,
    mounted: image_volumes::Mounted,
}

// === impl OciOptions ===

impl OciOptions {
    /// The usual options: state below `state_dir`, the running program as helper.
    pub fn new(
        state_dir: impl Into<PathBuf>,
        images: ImageStore,
        network: Arc<dyn Network>,
    ) -> Self {
        Self {
            state_dir: state_dir.into(),
            run_dir: "/run/windlass".into(),
            root_cgroup: "windlass".into(),
            network,
            images,
            helper: "/proc/self/exe".into(),
            clock: Arc::new(SystemClock),
        }
    }
}

// === impl OciRuntime ===

impl OciRuntime {
    /// Opens a state folder and finds again what runs.
    ///
    /// # Errors
    /// When a folder can't be made or read, or the process is not root.
    pub async fn open(mut options: OciOptions) -> Result<Self> {
        // Containers and shims have working directories of their own.
        for folder in [&mut options.state_dir, &mut options.run_dir] {
            *folder = std::path::absolute(&*folder).map_err(|e| state::io_error(folder, e))?;
        }
        if !rustix::process::geteuid().is_root() {
            return Err(Error::Invalid("running containers needs root".into()));
        }
        let layout = Layout::new(&options.state_dir, &options.run_dir)?;
        let overlay = rootfs::overlay_works(&layout.scratch());
        if !overlay {
            tracing::warn!("overlayfs does not work here: each container gets a copy of its image");
        }
        let sandboxes = SandboxStore::open(
            layout.clone(),
            options.root_cgroup.clone(),
            options.network.clone(),
            options.helper.clone(),
            options.clock.clone(),
        )?;
        let (shelf, mounted) = (Shelf::default(), image_volumes::Mounted::default());
        let inner = Arc::new(Inner { layout, options, sandboxes, shelf, overlay, mounted });
        containers::recover(&inner).await?;
        Ok(Self { inner })
    }
}

impl Inner {
    fn now(&self) -> SystemTime {
        self.options.clock.now().into()
    }
}

#[async_trait]
impl Sandboxes for OciRuntime {
    async fn run_sandbox(&self, config: SandboxConfig) -> Result<SandboxStatus> {
        if !["", HANDLER].contains(&config.runtime_handler.as_str()) {
            let name = &config.runtime_handler;
            return Err(Error::Invalid(format!("no runtime for \"{name}\" is configured")));
        }
        self.inner.sandboxes.run(config).await
    }

    async fn stop_sandbox(&self, id: &SandboxId) -> Result<()> {
        let end = async {
            for entry in self.inner.shelf.of(id) {
                containers::stop(&self.inner, &entry.record.id, Duration::ZERO).await?;
            }
            Ok(())
        };
        self.inner.sandboxes.stop(id, end).await
    }

    async fn remove_sandbox(&self, id: &SandboxId) -> Result<()> {
        self.stop_sandbox(id).await?;
        for entry in self.inner.shelf.of(id) {
            containers::remove(&self.inner, &entry.record.id).await?;
        }
        self.inner.sandboxes.remove(id).await
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxStatus>> {
        Ok(self.inner.sandboxes.list())
    }
}

#[async_trait]
impl Containers for OciRuntime {
    async fn create_container(
        &self,
        sandbox: &SandboxId,
        config: ContainerConfig,
    ) -> Result<ContainerId> {
        containers::create(&self.inner, sandbox, config).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        containers::start(&self.inner, id).await
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        containers::stop(&self.inner, id, grace).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        containers::remove(&self.inner, id).await
    }

    async fn list_containers(&self) -> Result<Vec<ContainerStatus>> {
        Ok(self.inner.shelf.list())
    }
}

#[async_trait]
impl Limits for OciRuntime {
    async fn update_sandbox(&self, id: &SandboxId, resources: Resources) -> Result<()> {
        self.inner.sandboxes.update(id, resources).await
    }

    async fn update_container(&self, id: &ContainerId, resources: Resources) -> Result<()> {
        self.inner.shelf.get(id)?.update(resources).await
    }
}

#[async_trait]
impl Streams for OciRuntime {
    fn events(&self) -> BoxStream<'static, Event> {
        events(self.inner.shelf.subscribe())
    }

    async fn exec(&self, id: &ContainerId, request: ExecRequest) -> Result<Session> {
        session::exec(&self.inner, id, request).await
    }

    async fn attach(&self, id: &ContainerId, request: AttachRequest) -> Result<Session> {
        session::attach(&self.inner, id, request).await
    }

    async fn port_forward(&self, id: &SandboxId, port: u16) -> Result<Box<dyn Duplex>> {
        self.inner.sandboxes.dial(id, port).await
    }
}

#[async_trait]
impl Stats for OciRuntime {
    async fn usage(&self) -> Result<Vec<SandboxUsage>> {
        self.inner.sandboxes.usage().await
    }
}

#[async_trait]
impl Images for OciRuntime {
    async fn image_status(&self, reference: &str) -> Result<Option<ImageStatus>> {
        self.inner.options.images.image_status(reference).await
    }

    async fn pull_image(&self, reference: &str, auth: Option<Credentials>) -> Result<ImageId> {
        self.inner.options.images.pull_image(reference, auth).await
    }

    async fn import_images(&self, archive: &Path) -> Result<Vec<String>> {
        self.inner.options.images.import_images(archive).await
    }

    async fn list_images(&self) -> Result<Vec<ImageStatus>> {
        self.inner.options.images.list_images().await
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.inner.options.images.remove_image(reference).await
    }

    async fn pin_image(&self, reference: &str, pinned: bool) -> Result<()> {
        self.inner.options.images.pin_image(reference, pinned).await
    }

    async fn image_root(&self) -> Option<PathBuf> {
        self.inner.options.images.image_root().await
    }

    async fn mount_image(&self, id: &ImageId, target: &Path) -> Result<()> {
        let (inner, id, target) = (self.inner.clone(), id.clone(), target.to_path_buf());
        let work = move || image_volumes::mount(&inner, &id, &target);
        tokio::task::spawn_blocking(work).await.map_err(lost)?
    }

    async fn unmount_image(&self, target: &Path) -> Result<()> {
        let (inner, target) = (self.inner.clone(), target.to_path_buf());
        let work = move || image_volumes::unmount(&inner, &target);
        tokio::task::spawn_blocking(work).await.map_err(lost)?
    }
}

impl Runtime for OciRuntime {
    fn version(&self) -> String {
        concat!("oci://", env!("CARGO_PKG_VERSION")).into()
    }
}
