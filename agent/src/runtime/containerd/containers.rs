//! Containers: their records, and making, finding again and removing them.

use super::client::{call, call_unless};
use super::io::{Hub, Names};
use super::snapshots::{Snapshots, chain_id, layers_of};
use super::{Inner, images, tasks};
use crate::images::blob::random_hex;
use crate::runtime::linux::containers;
use crate::runtime::linux::describe::{Parts, describe, stop_signal};
use crate::runtime::linux::log::Stream;
use crate::runtime::linux::state::{self, ContainerRecord, ExitRecord, RunRecord, io_error};
use crate::runtime::linux::{cgroup, lost};
use crate::runtime::{ContainerConfig, ContainerId, ContainerState, Error, Result, SandboxId};
use containerd_client::services::v1::container::Runtime;
use containerd_client::services::v1::{Container, CreateContainerRequest, DeleteContainerRequest};
use containerd_client::types::Mount;
use parking_lot::Mutex;
use prost::Message;
use prost_types::Any;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;
use tonic::Code;

/// How a container's configuration is called on the wire.
const SPEC: &str = "types.containerd.io/opencontainers/runtime-spec/1/Spec";
/// How the options of runc's shim are called on the wire.
const RUNC_OPTIONS: &str = "containerd.runc.v1.Options";
/// How long the last words of a container that has ended may take to come out of its pipes.
const DRAIN: Duration = Duration::from_secs(5);

/// A container, as this process knows it.
pub(super) type Entry = containers::Container<Own>;

/// What is its own of a container with a task.
pub(super) struct Own {
    /// Whether containerd may have a task for it.
    pub(super) task: Mutex<bool>,
    pub(super) hub: Arc<Hub>,
    pumps: Mutex<Vec<AbortOnDropHandle<()>>>,
    /// One task at a time notes its end.
    pub(super) ending: tokio::sync::Mutex<()>,
}

// === impl Entry ===

impl Entry {
    fn with(inner: &Inner, record: ContainerRecord, state: ContainerState) -> Self {
        let own = Own {
            task: Mutex::new(false),
            hub: Arc::new(Hub::new(&record.config, inner.options.clock.clone())),
            pumps: Mutex::default(),
            ending: tokio::sync::Mutex::default(),
        };
        Self::new(&inner.layout, record, state, own)
    }

    pub(super) fn pipes(&self) -> Names {
        let config = &self.record.config;
        Names::new(&self.folder, "", config.stdin, config.tty)
    }

    /// Begins to read what it writes.
    pub(super) async fn follow(&self) -> Result<()> {
        let pipes = self.pipes();
        pipes.make()?;
        let ends = pipes.open()?;
        self.hub.open_log();
        *self.hub.input.lock().await = ends.stdin;
        let mut pumps = self.pumps.lock();
        let out = self.hub.clone().pump(Stream::Stdout, ends.stdout);
        pumps.push(AbortOnDropHandle::new(tokio::spawn(out)));
        if let Some(stderr) = ends.stderr {
            let err = self.hub.clone().pump(Stream::Stderr, stderr);
            pumps.push(AbortOnDropHandle::new(tokio::spawn(err)));
        }
        Ok(())
    }

    /// Whether what it writes is read.
    pub(super) fn is_followed(&self) -> bool {
        !self.pumps.lock().is_empty()
    }

    /// Waits until all it wrote is in its log.
    pub(super) async fn drain(&self) {
        let pumps = std::mem::take(&mut *self.pumps.lock());
        let all = futures::future::join_all(pumps);
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::debug!(
                container = self.record.id.0,
                "something holds a container's output open"
            );
        }
        self.hub.finish().await;
    }

    /// Stops reading: there is nothing to come.
    pub(super) async fn unfollow(&self) {
        self.pumps.lock().clear();
        self.hub.finish().await;
    }
}

impl Inner {
    pub(super) fn snapshots(&self) -> Snapshots<'_> {
        Snapshots { connection: &self.connection, snapshotter: &self.options.snapshotter }
    }
}

/// Makes a container that is not yet started.
pub(super) async fn create(
    inner: &Arc<Inner>,
    sandbox: &SandboxId,
    config: ContainerConfig,
) -> Result<ContainerId> {
    let pod = inner.sandboxes.ready(sandbox)?;
    let image = images::by_id(inner, &config.image).await?;
    let id = ContainerId(random_hex());
    let folder = inner.layout.container(&id);
    // There first: a making that is cut short is found by its folder.
    state::make_folder(&folder)?;
    let made = make(inner, &id, &pod, config, &image).await;
    if made.is_err() {
        // What is left is found by the next agent.
        if let Err(e) = forget(inner, &id, &folder).await {
            tracing::warn!(container = id.0, error = %e, "can't undo a container that failed");
        }
    }
    inner.shelf.insert(Entry::with(inner, made?, ContainerState::Created));
    Ok(id)
}

async fn make(
    inner: &Arc<Inner>,
    id: &ContainerId,
    pod: &state::SandboxRecord,
    config: ContainerConfig,
    image: &images::Known,
) -> Result<ContainerRecord> {
    let parent = chain_id(image.diffs());
    let mounts = match inner.snapshots().prepare(&id.0, &parent).await {
        // The image came by another way, or its layers were collected.
        Err(Error::NotFound(_)) => {
            inner.snapshots().unpack(&image.layers, image.diffs()).await?;
            inner.snapshots().prepare(&id.0, &parent).await?
        }
        done => done?,
    };
    let runtime = handler(inner, &pod.config.runtime_handler)?;
    let (inner, id, pod) = (inner.clone(), id.clone(), pod.clone());
    let words = image.config.config().clone().unwrap_or_default();
    let write = {
        let inner = inner.clone();
        move || lay_out(&inner, &id, &pod, config, &words, &mounts)
    };
    let (record, spec) = tokio::task::spawn_blocking(write).await.map_err(lost)??;
    let container = Container {
        id: record.id.0.clone(),
        labels: labels(&inner, &record),
        image: record.config.image.0.clone(),
        runtime: Some(runtime),
        spec: Some(Any { type_url: SPEC.into(), value: spec }),
        snapshotter: inner.options.snapshotter.clone(),
        snapshot_key: record.id.0.clone(),
        ..Container::default()
    };
    let request = CreateContainerRequest { container: Some(container) };
    let mut client = inner.connection.containers();
    call("making a container", client.create(request)).await?;
    Ok(record)
}

/// What runs the containers of pods with this handler.
pub(super) fn handler(inner: &Inner, name: &str) -> Result<Runtime> {
    if name.is_empty() {
        return Ok(Runtime { name: inner.options.runtime.clone(), options: None });
    }
    let handler = inner.options.handlers.get(name);
    let handler = handler
        .ok_or_else(|| Error::Invalid(format!("no runtime for \"{name}\" is configured")))?;
    let options = handler.binary.as_ref().map(|binary| {
        let options = RuncOptions { binary_name: binary.clone() };
        Any { type_url: RUNC_OPTIONS.into(), value: options.encode_to_vec() }
    });
    Ok(Runtime { name: handler.runtime.clone(), options })
}

/// Of the options of runc's shim the one that is needed here.
#[derive(Clone, PartialEq, prost::Message)]
struct RuncOptions {
    #[prost(string, tag = "6")]
    binary_name: String,
}

fn lay_out(
    inner: &Inner,
    id: &ContainerId,
    pod: &state::SandboxRecord,
    config: ContainerConfig,
    image: &oci_spec::image::Config,
    mounts: &[Mount],
) -> Result<(ContainerRecord, Vec<u8>)> {
    let folder = inner.layout.container(id);
    let group = Path::new("/").join(&inner.options.root_cgroup);
    let cgroup = group.join(&pod.config.cgroup_parent).join(&id.0);
    let spec = describe(&Parts {
        pod: &pod.config,
        config: &config,
        image,
        namespaces: inner.layout.namespaces(&pod.id),
        cgroup: &cgroup,
        layers: &layers_of(mounts),
        folder: &folder,
        overlay: Vec::new(),
    })?;
    state::write(&folder.join("config.json"), &spec)?;
    let record = ContainerRecord {
        id: id.clone(),
        sandbox: pod.id.clone(),
        created_at: inner.now(),
        cgroup,
        layers: Vec::new(),
        stop_signal: stop_signal(&config, image)?,
        config,
    };
    state::write(&folder.join("container.json"), &record)?;
    let spec = serde_json::to_vec(&spec).map_err(|e| Error::Failed(e.to_string()))?;
    Ok((record, spec))
}

/// The labels by which other tools know a container of a pod.
fn labels(inner: &Inner, record: &ContainerRecord) -> HashMap<String, String> {
    let mut all =
        HashMap::from([("io.kubernetes.container.name".into(), record.config.name.clone())]);
    if let Ok(pod) = inner.sandboxes.record(&record.sandbox) {
        all.insert("io.kubernetes.pod.name".into(), pod.config.name);
        all.insert("io.kubernetes.pod.namespace".into(), pod.config.namespace);
        all.insert("io.kubernetes.pod.uid".into(), pod.config.uid);
    }
    all
}

/// Removes a container and what it wrote.
pub(super) async fn remove(inner: &Arc<Inner>, id: &ContainerId) -> Result<()> {
    let Ok(entry) = inner.shelf.get(id) else { return Ok(()) };
    let _one = entry.change.lock().await;
    tasks::stop(inner, id, Duration::ZERO).await?;
    let _end = entry.ending.lock().await;
    tasks::delete(inner, &entry).await?;
    cgroup::remove_soon(&entry.record.cgroup).await?;
    forget(inner, id, &entry.folder).await?;
    inner.shelf.remove(id);
    Ok(())
}

/// Removes what containerd and the state folder have of a container without a task.
async fn forget(inner: &Inner, id: &ContainerId, folder: &Path) -> Result<()> {
    let mut client = inner.connection.containers();
    let delete = client.delete(DeleteContainerRequest { id: id.0.clone() });
    call_unless(Code::NotFound, "removing a container", delete).await?;
    inner.snapshots().remove(&id.0).await?;
    state::remove(folder)
}

/// Finds the containers of earlier lives.
pub(super) async fn recover(inner: &Arc<Inner>) -> Result<()> {
    let folder = inner.layout.containers();
    for found in fs::read_dir(&folder).map_err(|e| io_error(&folder, e))? {
        let found = found.map_err(|e| io_error(&folder, e))?;
        let path = found.path();
        match state::read::<ContainerRecord>(&path.join("container.json"))? {
            Some(record) => recover_one(inner, record, &path).await?,
            // Its making was cut short.
            None => {
                let id = ContainerId(found.file_name().to_string_lossy().into_owned());
                forget(inner, &id, &path).await?;
            }
        }
    }
    Ok(())
}

async fn recover_one(inner: &Arc<Inner>, record: ContainerRecord, folder: &Path) -> Result<()> {
    let exit = state::read::<ExitRecord>(&folder.join("exit.json"))?;
    let run = state::read::<RunRecord>(&folder.join("run.json"))?;
    let known = match (&exit, &run) {
        (Some(exit), _) => exit.state(),
        (None, Some(run)) => run.state(),
        (None, None) => ContainerState::Created,
    };
    let entry = inner.shelf.insert(Entry::with(inner, record, known));
    *entry.task.lock() = true;
    match exit {
        Some(_) => tasks::delete(inner, &entry).await,
        None => tasks::reconcile(inner, &entry).await,
    }
}
