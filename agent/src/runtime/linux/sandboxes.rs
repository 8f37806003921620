//! Sandboxes without a process: cgroup, namespaces and network, and a record of them on disk.

use super::namespaces::{self, Plan};
use super::state::{self, Layout, SandboxRecord, io_error};
use super::{cgroup, lost, usage};
use crate::images::blob::random_hex;
use crate::network::{Attachment, Network};
use crate::runtime::{
    Duplex, Error, Resources, Result, SandboxConfig, SandboxId, SandboxStatus, SandboxUsage,
};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use windlass_core::clock::Clock;

/// How long a connection inside a sandbox may take to be made.
const DIAL: Duration = Duration::from_secs(10);

/// All sandboxes of a runtime, and what they are made with.
pub(in crate::runtime) struct SandboxStore {
    pub(in crate::runtime) layout: Layout,
    /// The cgroup that all pods are in, from the root of the hierarchy.
    pub(in crate::runtime) root_cgroup: String,
    pub(in crate::runtime) network: Arc<dyn Network>,
    pub(in crate::runtime) helper: PathBuf,
    pub(in crate::runtime) clock: Arc<dyn Clock>,
    all: Mutex<HashMap<SandboxId, Arc<Sandbox>>>,
}

/// A sandbox, and a lock that lets one task at a time change it.
struct Sandbox {
    record: Mutex<SandboxRecord>,
    change: tokio::sync::Mutex<()>,
}

// === impl SandboxStore ===

impl SandboxStore {
    /// Opens the records in `layout`.
    pub(in crate::runtime) fn open(
        layout: Layout,
        root_cgroup: String,
        network: Arc<dyn Network>,
        helper: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let this = Self { layout, root_cgroup, network, helper, clock, all: Mutex::default() };
        this.recover()?;
        Ok(this)
    }

    /// A sandbox as it was made and is.
    pub(in crate::runtime) fn record(&self, id: &SandboxId) -> Result<SandboxRecord> {
        Ok(self.get(id)?.record.lock().clone())
    }

    /// One that containers can be made in.
    pub(in crate::runtime) fn ready(&self, id: &SandboxId) -> Result<SandboxRecord> {
        let record = self.record(id)?;
        match record.ready {
            true => Ok(record),
            false => Err(Error::Failed(format!("sandbox {} is stopped", id.0))),
        }
    }

    /// All of them.
    pub(in crate::runtime) fn list(&self) -> Vec<SandboxStatus> {
        self.all.lock().values().map(|s| s.record.lock().status()).collect()
    }

    /// What those that are ready use.
    pub(in crate::runtime) async fn usage(&self) -> Result<Vec<SandboxUsage>> {
        let all: Vec<_> = self.all.lock().values().cloned().collect();
        let records = all.iter().map(|sandbox| sandbox.record.lock().clone());
        let groups: Vec<_> =
            records.filter(|r| r.ready).map(|r| (r.id.clone(), self.group_of(&r))).collect();
        let clock = self.clock.clone();
        let read = move || {
            let of = |(id, group): (_, PathBuf)| usage::of_pod(&group, id, &*clock);
            groups.into_iter().filter_map(|found| of(found).transpose()).collect::<Result<_>>()
        };
        tokio::task::spawn_blocking(read).await.map_err(lost)?
    }

    fn get(&self, id: &SandboxId) -> Result<Arc<Sandbox>> {
        let found = self.all.lock().get(id).cloned();
        found.ok_or_else(|| Error::NotFound(format!("sandbox {}", id.0)))
    }

    /// Makes a sandbox: cgroup, namespaces, network.
    pub(in crate::runtime) async fn run(&self, config: SandboxConfig) -> Result<SandboxStatus> {
        check(&config)?;
        let mut record = SandboxRecord {
            id: SandboxId(random_hex()),
            config,
            created_at: self.clock.now().into(),
            ips: Vec::new(),
            ready: false,
            pause: None,
        };
        // Written first: after a crash in the middle it is found, not ready, and can be removed.
        let path = self.layout.sandbox(&record.id);
        self.save(&record).await?;
        let made = match self.furnish(&mut record).await {
            Ok(()) => self.save(&record).await,
            failed => failed,
        };
        if let Err(e) = made {
            match self.dismantle(&record).await {
                Ok(()) => state::remove(&path)?,
                Err(more) => {
                    tracing::warn!(sandbox = record.id.0, error = %more, "can't undo a sandbox that failed");
                    // It stays known, not ready, and so is removed later.
                    record.ready = false;
                    self.keep(record);
                }
            }
            return Err(e);
        }
        Ok(self.keep(record))
    }

    fn keep(&self, record: SandboxRecord) -> SandboxStatus {
        let status = record.status();
        let sandbox = Sandbox { record: Mutex::new(record), change: tokio::sync::Mutex::default() };
        self.all.lock().insert(status.id.clone(), Arc::new(sandbox));
        status
    }

    /// Writes a sandbox's record; that waits for the disk.
    async fn save(&self, record: &SandboxRecord) -> Result<()> {
        let (path, record) = (self.layout.sandbox(&record.id), record.clone());
        tokio::task::spawn_blocking(move || state::write(&path, &record)).await.map_err(lost)?
    }

    async fn furnish(&self, record: &mut SandboxRecord) -> Result<()> {
        let (group, folder) = (self.group_of(record), self.layout.namespaces(&record.id));
        let (config, helper) = (record.config.clone(), self.helper.clone());
        let work = move || {
            cgroup::apply(&group, &config.resources).map_err(|e| io_error(&group, e))?;
            namespaces::make(&Plan { folder, config: &config, helper: &helper })
        };
        let child = tokio::task::spawn_blocking(work).await.map_err(lost)??;
        if let Some(mut child) = child {
            record.pause = Some(child.id());
            // Somebody has to wait for it when it ends.
            std::thread::spawn(move || child.wait());
        }
        if !record.config.host_namespaces.network {
            record.ips = self.network.attach(&self.attachment(record)).await?;
        }
        record.ready = true;
        Ok(())
    }

    /// Gives a sandbox other limits, and notes them.
    pub(in crate::runtime) async fn update(&self, id: &SandboxId, new: Resources) -> Result<()> {
        let sandbox = self.get(id)?;
        let _one = sandbox.change.lock().await;
        let mut record = self.ready(id)?;
        record.config.resources = new.over(&record.config.resources);
        let (group, resources) = (self.group_of(&record), record.config.resources.clone());
        let work = move || cgroup::apply(&group, &resources).map_err(|e| io_error(&group, e));
        tokio::task::spawn_blocking(work).await.map_err(lost)??;
        self.save(&record).await?;
        *sandbox.record.lock() = record;
        Ok(())
    }

    /// Stops a sandbox: `end` ends its containers, then its network is given back. Does nothing, nor `end`, to one
    /// that is stopped or unknown.
    pub(in crate::runtime) async fn stop(
        &self,
        id: &SandboxId,
        end: impl Future<Output = Result<()>>,
    ) -> Result<()> {
        let Ok(sandbox) = self.get(id) else { return Ok(()) };
        let _one = sandbox.change.lock().await;
        let mut record = sandbox.record.lock().clone();
        if !record.ready {
            return Ok(());
        }
        end.await?;
        self.dismantle(&record).await?;
        record.ready = false;
        record.pause = None;
        self.save(&record).await?;
        *sandbox.record.lock() = record;
        Ok(())
    }

    /// Removes a sandbox that is stopped and whose containers are removed.
    pub(in crate::runtime) async fn remove(&self, id: &SandboxId) -> Result<()> {
        let Ok(sandbox) = self.get(id) else { return Ok(()) };
        let record = sandbox.record.lock().clone();
        // Also when it was never ready, or lost its namespaces with a restart of the node.
        self.dismantle(&record).await?;
        let group = self.group_of(&record);
        let shared = |s: &Arc<Sandbox>| {
            !Arc::ptr_eq(s, &sandbox) && self.group_of(&s.record.lock()) == group
        };
        // A second try at a pod's sandbox uses the same group.
        if !self.all.lock().values().any(shared) {
            cgroup::remove_soon(&group).await?;
        }
        state::remove(&self.layout.sandbox(id))?;
        self.all.lock().remove(id);
        Ok(())
    }

    /// Gives back the network, the namespaces and the process that holds one.
    async fn dismantle(&self, record: &SandboxRecord) -> Result<()> {
        if !record.config.host_namespaces.network {
            self.network.detach(&self.attachment(record)).await?;
        }
        let folder = self.layout.namespaces(&record.id);
        if let Some(pid) = record.pause.filter(|_| is_pause(&folder, record.pause)) {
            kill(pid)?;
        }
        tokio::task::spawn_blocking(move || namespaces::release(&folder)).await.map_err(lost)?
    }

    /// Finds the sandboxes of earlier lives.
    fn recover(&self) -> Result<()> {
        let folder = self.layout.sandboxes();
        for found in std::fs::read_dir(&folder).map_err(|e| io_error(&folder, e))? {
            let path = found.map_err(|e| io_error(&folder, e))?.path();
            if path.extension().is_none_or(|e| e != "json") {
                state::remove(&path)?;
                continue;
            }
            let Some(mut record) = state::read::<SandboxRecord>(&path)? else { continue };
            let namespaces = self.layout.namespaces(&record.id);
            if record.ready && !namespaces::alive(&namespaces, &record.config) {
                record.ready = false;
            }
            let id = record.id.clone();
            let sandbox =
                Sandbox { record: Mutex::new(record), change: tokio::sync::Mutex::default() };
            self.all.lock().insert(id, Arc::new(sandbox));
        }
        Ok(())
    }

    /// Connects to a port on the loopback address inside.
    pub(in crate::runtime) async fn dial(
        &self,
        id: &SandboxId,
        port: u16,
    ) -> Result<Box<dyn Duplex>> {
        let record = self.record(id)?;
        let host = record.config.host_namespaces.network;
        let netns = self.layout.namespaces(&record.id).join("net");
        let failed = move |source| Error::Io {
            context: format!("connect to port {port} of the pod"),
            source,
        };
        // The socket belongs to the namespace it was made in; connecting may be done from anywhere.
        let make = move || {
            if host {
                tokio::net::TcpSocket::new_v4()
            } else {
                namespaces::within(&netns, tokio::net::TcpSocket::new_v4)
            }
        };
        let socket = tokio::task::spawn_blocking(make).await.map_err(lost)?.map_err(failed)?;
        let connect = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let stream = tokio::time::timeout(DIAL, connect).await;
        let stream =
            stream.map_err(|_| failed(std::io::ErrorKind::TimedOut.into()))?.map_err(failed)?;
        Ok(Box::new(stream))
    }

    fn attachment(&self, record: &SandboxRecord) -> Attachment {
        Attachment {
            sandbox: record.id.clone(),
            netns: self.layout.namespaces(&record.id).join("net"),
            name: record.config.name.clone(),
            namespace: record.config.namespace.clone(),
            uid: record.config.uid.clone(),
            ports: record.config.port_mappings.clone(),
        }
    }

    fn group_of(&self, record: &SandboxRecord) -> PathBuf {
        Path::new("/").join(&self.root_cgroup).join(&record.config.cgroup_parent)
    }
}

fn check(config: &SandboxConfig) -> Result<()> {
    let inside = |path: &str| {
        Path::new(path).components().all(|c| matches!(c, std::path::Component::Normal(_)))
    };
    if config.cgroup_parent.is_empty() || !inside(&config.cgroup_parent) {
        return Err(Error::Invalid(format!(
            "\"{}\" is not a cgroup below the root one",
            config.cgroup_parent
        )));
    }
    Ok(())
}

/// Whether this process still is the one that holds the sandbox's process namespace.
fn is_pause(folder: &Path, pid: Option<u32>) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |path: PathBuf| std::fs::metadata(path).map(|m| m.ino()).ok();
    let Some(pid) = pid else { return false };
    let held = number(folder.join("pid"));
    held.is_some() && held == number(format!("/proc/{pid}/ns/pid").into())
}

fn kill(pid: u32) -> Result<()> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match raw.map(|pid| kill_process(pid, Signal::KILL)) {
        Some(Err(e)) if e != rustix::io::Errno::SRCH => Err(io_error(Path::new("kill"), e)),
        _ => Ok(()),
    }
}
