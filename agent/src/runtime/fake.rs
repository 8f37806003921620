//! A runtime in memory, for tests and simulation. Everything runs on tokio's clock.
//!
//! What a container does is a [`Script`], chosen for each start by a [`Director`]; so start times,
//! failures, output and ends can be anything, also drawn from a seeded distribution.

mod containers;
mod streams;

use super::{
    AttachRequest, ContainerConfig, ContainerId, ContainerState, ContainerStatus, Containers,
    Duplex, Error, Event, ExecRequest, Limits, Resources, Result, Runtime, SandboxConfig,
    SandboxId, SandboxStatus, SandboxUsage, Sandboxes, Session, Stats, Streams, Usage,
    UsageDetails,
};
use crate::images::{Credentials, ImageId, ImageStatus, Images};
use async_trait::async_trait;
use containers::Entry;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast;

/// How many events a slow reader may be behind.
const EVENTS: usize = 4096;

/// What one start of a container, or one exec, does.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// How long starting takes.
    pub start: Duration,
    /// Why it can't be started.
    pub start_error: Option<String>,
    /// What it prints to standard output, at once.
    pub stdout: String,
    /// What it prints to standard error, at once.
    pub stderr: String,
    /// Copies its input to its output; it ends with its input.
    pub copies: bool,
    /// How long it runs; for ever when `None`.
    pub runs: Option<Duration>,
    /// The exit code it ends with.
    pub exit_code: i32,
    /// The exit code it ends with when it is asked to stop; it ignores that when `None`.
    pub on_term: Option<i32>,
    /// The kernel ends it for want of memory.
    pub oom: bool,
    /// Thousandths of a core that it uses while it runs.
    pub milli_cpu: u32,
    /// Bytes of memory that it uses while it runs.
    pub memory: u64,
}

/// Decides what containers and exec'd programs do. Called once a start.
pub trait Director: Send + Sync {
    /// What a start of this container does.
    fn container(&self, config: &ContainerConfig) -> Script;
    /// What this program does in this container.
    fn exec(&self, container: &ContainerConfig, command: &[String]) -> Script;
}

/// Every container starts at once and runs until it is asked to stop; every exec succeeds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steady;

/// A runtime in memory. Cheap to clone; all clones are one runtime.
#[derive(Clone)]
pub struct FakeRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    director: Box<dyn Director>,
    now: Box<dyn Fn() -> SystemTime + Send + Sync>,
    state: Mutex<State>,
    events: broadcast::Sender<Event>,
}

#[derive(Default)]
struct State {
    made: u64,
    sandboxes: BTreeMap<SandboxId, SandboxStatus>,
    containers: BTreeMap<ContainerId, Arc<Entry>>,
    images: BTreeMap<ImageId, ImageStatus>,
    image_root: Option<PathBuf>,
    mounted: BTreeMap<PathBuf, ImageId>,
}

// === impl Steady ===

impl Director for Steady {
    fn container(&self, _: &ContainerConfig) -> Script {
        Script { on_term: Some(0), ..Script::default() }
    }

    fn exec(&self, _: &ContainerConfig, _: &[String]) -> Script {
        Script { runs: Some(Duration::ZERO), ..Script::default() }
    }
}

// === impl FakeRuntime ===

impl FakeRuntime {
    /// A runtime whose containers do what `director` says. `now` tells the time of day, for statuses.
    pub fn new(
        director: impl Director + 'static,
        now: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                director: Box::new(director),
                now: Box::new(now),
                state: Mutex::default(),
                events: broadcast::channel(EVENTS).0,
            }),
        }
    }

    /// Says which folder of the node its images are said to lie in; without one they lie nowhere.
    pub fn keep_images_in(&self, folder: impl Into<PathBuf>) {
        self.inner.state.lock().image_root = Some(folder.into());
    }

    /// The images that are shown on folders of the node.
    pub fn mounted_images(&self) -> BTreeMap<PathBuf, ImageId> {
        self.inner.state.lock().mounted.clone()
    }

    /// Ends a running container as if by itself. Does nothing to one not running.
    pub fn exit(&self, id: &ContainerId, exit_code: i32) {
        if let Ok(entry) = self.inner.container(id) {
            self.inner.end(&entry, exit_code, false);
        }
    }
}

impl Inner {
    fn container(&self, id: &ContainerId) -> Result<Arc<Entry>> {
        let found = self.state.lock().containers.get(id).cloned();
        found.ok_or_else(|| Error::NotFound(format!("container {}", id.0)))
    }

    fn containers_of(&self, id: &SandboxId) -> Vec<Arc<Entry>> {
        let state = self.state.lock();
        let mine = state.containers.values().filter(|e| e.sandbox == *id);
        mine.cloned().collect()
    }

    fn publish(&self, event: Event) {
        // Nobody listening is no error.
        self.events.send(event).ok();
    }
}

impl State {
    /// 64 hexadecimal digits, never the same twice.
    fn next_id(&mut self) -> String {
        self.made += 1;
        format!("{:064x}", self.made)
    }
}

#[async_trait]
impl Sandboxes for FakeRuntime {
    async fn run_sandbox(&self, config: SandboxConfig) -> Result<SandboxStatus> {
        let mut state = self.inner.state.lock();
        let id = SandboxId(state.next_id());
        let host = config.host_namespaces.network;
        let number = u32::try_from(state.made % 0xff_fffe).unwrap_or(0) + 1;
        let ip = IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() | number));
        let status = SandboxStatus {
            id: id.clone(),
            config,
            ready: true,
            ips: if host { vec![] } else { vec![ip] },
            created_at: (self.inner.now)(),
        };
        state.sandboxes.insert(id, status.clone());
        Ok(status)
    }

    async fn stop_sandbox(&self, id: &SandboxId) -> Result<()> {
        for entry in self.inner.containers_of(id) {
            self.inner.end(&entry, 137, false);
        }
        if let Some(sandbox) = self.inner.state.lock().sandboxes.get_mut(id) {
            sandbox.ready = false;
        }
        Ok(())
    }

    async fn remove_sandbox(&self, id: &SandboxId) -> Result<()> {
        self.stop_sandbox(id).await?;
        let mut state = self.inner.state.lock();
        state.containers.retain(|_, e| e.sandbox != *id);
        state.sandboxes.remove(id);
        Ok(())
    }

    async fn list_sandboxes(&self) -> Result<Vec<SandboxStatus>> {
        Ok(self.inner.state.lock().sandboxes.values().cloned().collect())
    }
}

#[async_trait]
impl Containers for FakeRuntime {
    async fn create_container(
        &self,
        sandbox: &SandboxId,
        config: ContainerConfig,
    ) -> Result<ContainerId> {
        let now = (self.inner.now)();
        let mut state = self.inner.state.lock();
        match state.sandboxes.get(sandbox) {
            Some(s) if s.ready => {}
            Some(_) => return Err(Error::Failed(format!("sandbox {} is stopped", sandbox.0))),
            None => return Err(Error::NotFound(format!("sandbox {}", sandbox.0))),
        }
        let id = ContainerId(state.next_id());
        let entry = Entry::new(id.clone(), sandbox.clone(), config, now);
        state.containers.insert(id.clone(), Arc::new(entry));
        Ok(id)
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let entry = self.inner.container(id)?;
        containers::start(&self.inner, &entry).await
    }

    async fn stop_container(&self, id: &ContainerId, grace: Duration) -> Result<()> {
        let Ok(entry) = self.inner.container(id) else { return Ok(()) };
        containers::stop(&self.inner, &entry, grace).await;
        Ok(())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        if let Ok(entry) = self.inner.container(id) {
            self.inner.end(&entry, 137, false);
            self.inner.state.lock().containers.remove(id);
        }
        Ok(())
    }

    async fn list_containers(&self) -> Result<Vec<ContainerStatus>> {
        let state = self.inner.state.lock();
        Ok(state.containers.values().map(|e| e.status()).collect())
    }
}

#[async_trait]
impl Limits for FakeRuntime {
    async fn update_sandbox(&self, id: &SandboxId, resources: Resources) -> Result<()> {
        let mut state = self.inner.state.lock();
        let sandbox = state.sandboxes.get_mut(id);
        let sandbox = sandbox.ok_or_else(|| Error::NotFound(format!("sandbox {}", id.0)))?;
        sandbox.config.resources = resources.over(&sandbox.config.resources);
        Ok(())
    }

    async fn update_container(&self, id: &ContainerId, resources: Resources) -> Result<()> {
        let entry = self.inner.container(id)?;
        if !is_running(&entry.state.borrow()) {
            return Err(Error::Failed(format!("container {} is not running", id.0)));
        }
        let mut has = entry.resources.lock();
        *has = resources.over(&has);
        Ok(())
    }
}

#[async_trait]
impl Streams for FakeRuntime {
    fn events(&self) -> BoxStream<'static, Event> {
        super::linux::events(self.inner.events.subscribe())
    }

    async fn exec(&self, id: &ContainerId, request: ExecRequest) -> Result<Session> {
        let entry = self.inner.container(id)?;
        streams::exec(&self.inner, &entry, request)
    }

    async fn attach(&self, id: &ContainerId, request: AttachRequest) -> Result<Session> {
        let entry = self.inner.container(id)?;
        streams::attach(&self.inner, &entry, request)
    }

    /// What is written comes back.
    async fn port_forward(&self, id: &SandboxId, _: u16) -> Result<Box<dyn Duplex>> {
        if !self.inner.state.lock().sandboxes.contains_key(id) {
            return Err(Error::NotFound(format!("sandbox {}", id.0)));
        }
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let (mut read, mut write) = tokio::io::split(theirs);
            tokio::io::copy(&mut read, &mut write).await
        });
        Ok(Box::new(ours))
    }
}

#[async_trait]
impl Stats for FakeRuntime {
    async fn usage(&self) -> Result<Vec<SandboxUsage>> {
        let (state, at) = (self.inner.state.lock(), (self.inner.now)());
        let of = |sandbox: &SandboxStatus| {
            let containers = state.containers.values().filter(|c| c.sandbox == sandbox.id);
            let containers: BTreeMap<_, _> =
                containers.filter_map(|c| Some((c.id.clone(), c.usage(at)?))).collect();
            let details = UsageDetails::default();
            let nothing = Usage { at, cpu: Duration::ZERO, working_set: 0, memory: 0, details };
            let pod = containers.values().fold(nothing, |all, one| Usage {
                cpu: all.cpu + one.cpu,
                working_set: all.working_set + one.working_set,
                memory: all.memory + one.memory,
                ..all
            });
            let processes = containers.len() as u64;
            SandboxUsage { id: sandbox.id.clone(), pod, processes, containers }
        };
        Ok(state.sandboxes.values().filter(|sandbox| sandbox.ready).map(of).collect())
    }
}

#[async_trait]
impl Images for FakeRuntime {
    async fn image_status(&self, reference: &str) -> Result<Option<ImageStatus>> {
        let state = self.inner.state.lock();
        if let Some(id) = crate::images::as_id(reference) {
            return Ok(state.images.get(&ImageId(id)).cloned());
        }
        let name = crate::images::normalise(reference)?;
        Ok(state.images.values().find(|i| i.tags.contains(&name)).cloned())
    }

    async fn pull_image(&self, reference: &str, _: Option<Credentials>) -> Result<ImageId> {
        let name = crate::images::normalise(reference)?;
        let id = ImageId(crate::images::blob::digest_of(name.as_bytes()));
        let image = ImageStatus {
            id: id.clone(),
            tags: vec![name],
            size: 1 << 20,
            ..ImageStatus::default()
        };
        self.inner.state.lock().images.insert(id.clone(), image);
        Ok(id)
    }

    async fn import_images(&self, archive: &Path) -> Result<Vec<String>> {
        let stem = archive.file_stem().unwrap_or_default().to_string_lossy();
        let name = crate::images::normalise(&stem)?;
        self.pull_image(&name, None).await?;
        Ok(vec![name])
    }

    async fn list_images(&self) -> Result<Vec<ImageStatus>> {
        Ok(self.inner.state.lock().images.values().cloned().collect())
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        if let Some(found) = self.image_status(reference).await? {
            self.inner.state.lock().images.remove(&found.id);
        }
        Ok(())
    }

    async fn pin_image(&self, reference: &str, pinned: bool) -> Result<()> {
        let none = || Error::NotFound(format!("image {reference}"));
        let found = self.image_status(reference).await?.ok_or_else(none)?;
        let mut state = self.inner.state.lock();
        state.images.get_mut(&found.id).ok_or_else(none)?.pinned = pinned;
        Ok(())
    }

    async fn mount_image(&self, id: &ImageId, target: &Path) -> Result<()> {
        let mut state = self.inner.state.lock();
        if !state.images.contains_key(id) {
            return Err(Error::NotFound(format!("image {}", id.0)));
        }
        state.mounted.insert(target.to_path_buf(), id.clone());
        Ok(())
    }

    async fn unmount_image(&self, target: &Path) -> Result<()> {
        self.inner.state.lock().mounted.remove(target);
        Ok(())
    }

    async fn image_root(&self) -> Option<PathBuf> {
        self.inner.state.lock().image_root.clone()
    }
}

impl Runtime for FakeRuntime {
    fn version(&self) -> String {
        concat!("fake://", env!("CARGO_PKG_VERSION")).into()
    }
}

fn state_of(exit_code: i32, oom: bool) -> &'static str {
    match (exit_code, oom) {
        (_, true) => "OOMKilled",
        (0, false) => "Completed",
        _ => "Error",
    }
}

fn is_running(state: &ContainerState) -> bool {
    matches!(state, ContainerState::Running { .. })
}
