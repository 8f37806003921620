//! Containers on containerd: its content store, images, snapshots, tasks and event stream, over its gRPC socket.
//!
//! A sandbox needs no container of its own: its namespaces are held by bind mounts, as with [`super::oci`]. Each
//! container has a task in a shim of containerd's, which outlives the agent and containerd. The agent reads the
//! task's streams from named pipes and writes the log; while no agent runs, what a container writes waits in the
//! pipe.
//!
//! ```text
//! <state>/sandboxes/<id>.json
//! <state>/containers/<id>/   container.json  config.json (OCI)  run.json  exit.json  in  out  err
//! <run>/<sandbox>/           net  ipc  uts  pid  shm/
//! ```

mod client;
mod containers;
mod content;
mod events;
mod image_volumes;
mod images;
mod io;
mod snapshots;
mod streams;
mod tasks;

use super::linux::containers::Shelf;
use super::linux::events as event_stream;
use super::linux::sandboxes::SandboxStore;
use super::linux::state::{Layout, io_error, make_folder};
use super::{
    AttachRequest, ContainerConfig, ContainerId, ContainerStatus, Containers, Duplex, Error, Event,
    ExecRequest, Limits, Resources, Result, Runtime, SandboxConfig, SandboxId, SandboxStatus,
    SandboxUsage, Sandboxes, Session, Stats, Streams,
};
use crate::images::{Credentials, ImageId, ImageStatus, Images, Registries};
use crate::network::Network;
use async_trait::async_trait;
use client::{Connection, call};
use containers::Own;
use futures::stream::BoxStream;
use images::Known;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_util::task::AbortOnDropHandle;
use windlass_core::clock::{Clock, SystemClock};

/// What a [`ContainerdRuntime`] stands on.
pub struct ContainerdOptions {
    /// containerd's socket.
    pub address: PathBuf,
    /// containerd's namespace for what this agent makes. One agent may have it.
    pub namespace: String,
    /// Keeps the layers: `overlayfs`, or `native` where that does not work.
    pub snapshotter: String,
    /// Runs the containers: `io.containerd.runc.v2`.
    pub runtime: String,
    /// Runs those of pods whose RuntimeClass names a handler.
    pub handlers: BTreeMap<String, Handler>,
    /// Keeps what must survive a restart of the agent.
    pub state_dir: PathBuf,
    /// Keeps what must not survive a restart of the machine: `/run/windlass`.
    pub run_dir: PathBuf,
    /// The cgroup that all pods are in, from the root of the hierarchy: `windlass`.
    pub root_cgroup: String,
    /// What is said of registries.
    pub registries: Registries,
    /// Connects sandboxes.
    pub network: Arc<dyn Network>,
    /// The program that holds a shared process namespace: its `main` calls [`super::oci::shim_main_if_asked`].
    pub helper: PathBuf,
    /// Tells when things are made.
    pub clock: Arc<dyn Clock>,
}

/// What runs containers in the place of the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// The shim: `io.containerd.runc.v2`.
    pub runtime: String,
    /// The OCI runtime that the shim takes, by name or path; its usual one when `None`.
    pub binary: Option<String>,
}

/// Runs containers on containerd. Cheap to clone; all clones are one runtime. One process at a time may have a
/// state folder open.
#[derive(Clone)]
pub struct ContainerdRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    options: ContainerdOptions,
    layout: Layout,
    connection: Connection,
    version: String,
    image_root: Option<PathBuf>,
    sandboxes: SandboxStore,
    shelf: Shelf<Own>,
    /// Images by the digest that their name leads to.
    images: Mutex<HashMap<String, Arc<Known>>>,
    listener: Mutex<Option<AbortOnDropHandle<()>>>,
}

// === impl ContainerdOptions ===

impl ContainerdOptions {
    /// The usual options: state below `state_dir`, namespace `k8s.io`, runc, overlayfs, the running program as helper.
    pub fn new(
        address: impl Into<PathBuf>,
        state_dir: impl Into<PathBuf>,
        network: Arc<dyn Network>,
    ) -> Self {
        Self {
            address: address.into(),
            namespace: "k8s.io".into(),
            snapshotter: "overlayfs".into(),
            runtime: "io.containerd.runc.v2".into(),
            handlers: BTreeMap::from(["runc", "crun"].map(|name| (name.into(), Handler::of(name)))),
            state_dir: state_dir.into(),
            run_dir: "/run/windlass".into(),
            root_cgroup: "windlass".into(),
            registries: Registries::default(),
            network,
            helper: "/proc/self/exe".into(),
            clock: Arc::new(SystemClock),
        }
    }
}

// === impl Handler ===

impl Handler {
    /// An OCI runtime with runc's command line.
    pub fn of(binary: &str) -> Self {
        Self { runtime: "io.containerd.runc.v2".into(), binary: Some(binary.into()) }
    }
}

// === impl ContainerdRuntime ===

impl ContainerdRuntime {
    /// Connects, opens a state folder and finds again what runs.
    ///
    /// # Errors
    /// When containerd does not answer, a folder can't be made or read, or the process is not root.
    pub async fn open(mut options: ContainerdOptions) -> Result<Self> {
        for folder in [&mut options.state_dir, &mut options.run_dir] {
            *folder = std::path::absolute(&*folder).map_err(|e| io_error(folder, e))?;
        }
        if !rustix::process::geteuid().is_root() {
            return Err(Error::Invalid("running containers needs root".into()));
        }
        let connection = Connection::open(&options.address, &options.namespace).await?;
        let mut client = connection.version();
        let version = call("asking containerd for its version", client.version(())).await?.version;
        let image_root = snapshots::root(&connection, &options.snapshotter).await?;
        let layout = Layout::new(&options.state_dir, &options.run_dir)?;
        make_folder(&options.state_dir.join("tmp"))?;
        let sandboxes = SandboxStore::open(
            layout.clone(),
            options.root_cgroup.clone(),
            options.network.clone(),
            options.helper.clone(),
            options.clock.clone(),
        )?;
        let inner = Arc::new(Inner {
            layout,
            connection,
            version,
            image_root,
            options,
            sandboxes,
            shelf: Shelf::default(),
            images: Mutex::default(),
            listener: Mutex::default(),
        });
        // Listened to first, so that no end falls between.
        let stream = events::subscribe(&inner.connection).await?;
        containers::recover(&inner).await?;
        let listener = tokio::spawn(events::listen(Arc::downgrade(&inner), stream));
        *inner.listener.lock() = Some(AbortOnDropHandle::new(listener));
        Ok(Self { inner })
    }
}

impl Inner {
    fn now(&self) -> SystemTime {
        self.options.clock.now().into()
    }
}

#[async_trait]
impl Sandboxes for ContainerdRuntime {
    async fn run_sandbox(&self, config: SandboxConfig) -> Result<SandboxStatus> {
        containers::handler(&self.inner, &config.runtime_handler)?;
        self.inner.sandboxes.run(config).await
    }

    async fn stop_sandbox(&self, id: &SandboxId) -> Result<()> {
        let end = async {
            for entry in self.inner.shelf.of(id) {
                tasks::stop(&self.inner, &entry.record.id, Duration::ZERO).await?;
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
impl Containers for ContainerdRuntime {
    async fn create_container(
        &self,
        sandbox: &SandboxId,
        config: ContainerConfig,
    ) -> Result<ContainerId> {
        containers::create(&self.inner, sandbox, config).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        tasks::start(&self.inner, id).await
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        tasks::stop(&self.inner, id, grace).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        containers::remove(&self.inner, id).await
    }

    async fn list_containers(&self) -> Result<Vec<ContainerStatus>> {
        Ok(self.inner.shelf.list())
    }
}

#[async_trait]
impl Limits for ContainerdRuntime {
    async fn update_sandbox(&self, id: &SandboxId, resources: Resources) -> Result<()> {
        self.inner.sandboxes.update(id, resources).await
    }

    async fn update_container(&self, id: &ContainerId, resources: Resources) -> Result<()> {
        self.inner.shelf.get(id)?.update(resources).await
    }
}

#[async_trait]
impl Streams for ContainerdRuntime {
    fn events(&self) -> BoxStream<'static, Event> {
        event_stream(self.inner.shelf.subscribe())
    }

    async fn exec(&self, id: &ContainerId, request: ExecRequest) -> Result<Session> {
        streams::exec(&self.inner, id, request).await
    }

    async fn attach(&self, id: &ContainerId, request: AttachRequest) -> Result<Session> {
        streams::attach(&self.inner, id, request).await
    }

    async fn port_forward(&self, id: &SandboxId, port: u16) -> Result<Box<dyn Duplex>> {
        self.inner.sandboxes.dial(id, port).await
    }
}

#[async_trait]
impl Stats for ContainerdRuntime {
    async fn usage(&self) -> Result<Vec<SandboxUsage>> {
        self.inner.sandboxes.usage().await
    }
}

#[async_trait]
impl Images for ContainerdRuntime {
    async fn image_status(&self, reference: &str) -> Result<Option<ImageStatus>> {
        images::status(&self.inner, reference).await
    }

    async fn pull_image(&self, reference: &str, auth: Option<Credentials>) -> Result<ImageId> {
        images::pull(&self.inner, reference, auth).await
    }

    async fn import_images(&self, archive: &Path) -> Result<Vec<String>> {
        images::import(&self.inner, archive).await
    }

    async fn list_images(&self) -> Result<Vec<ImageStatus>> {
        images::list(&self.inner).await
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        images::remove(&self.inner, reference).await
    }

    async fn pin_image(&self, reference: &str, pinned: bool) -> Result<()> {
        images::pin(&self.inner, reference, pinned).await
    }

    async fn image_root(&self) -> Option<PathBuf> {
        self.inner.image_root.clone()
    }

    async fn mount_image(&self, id: &ImageId, target: &Path) -> Result<()> {
        image_volumes::mount(&self.inner, id, target).await
    }

    async fn unmount_image(&self, target: &Path) -> Result<()> {
        image_volumes::unmount(&self.inner, target).await
    }
}

impl Runtime for ContainerdRuntime {
    fn version(&self) -> String {
        format!("containerd://{}", self.inner.version)
    }
}
