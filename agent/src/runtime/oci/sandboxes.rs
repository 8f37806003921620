//! Making and removing sandboxes.

use super::namespaces::{self, Plan};
use super::state::{self, SandboxRecord, io_error};
use super::{Inner, Sandbox, cgroup, containers};
use crate::images::blob::random_hex;
use crate::network::Attachment;
use crate::runtime::{Duplex, Error, Result, SandboxConfig, SandboxId, SandboxStatus};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection inside a sandbox may take to be made.
const DIAL: Duration = Duration::from_secs(10);

/// Makes a sandbox: cgroup, namespaces, network.
pub(super) async fn run(inner: &Arc<Inner>, config: SandboxConfig) -> Result<SandboxStatus> {
    check(&config)?;
    let mut record = SandboxRecord {
        id: SandboxId(random_hex()),
        config,
        created_at: inner.now(),
        ips: Vec::new(),
        ready: false,
        pause: None,
    };
    // Written first: after a crash in the middle it is found, not ready, and can be removed.
    let path = inner.layout.sandbox(&record.id);
    save(inner, &record).await?;
    let made = match furnish(inner, &mut record).await {
        Ok(()) => save(inner, &record).await,
        failed => failed,
    };
    if let Err(e) = made {
        match dismantle(inner, &record).await {
            Ok(()) => state::remove(&path)?,
            Err(more) => {
                tracing::warn!(sandbox = record.id.0, error = %more, "can't undo a sandbox that failed");
                // It stays known, not ready, and so is removed later.
                record.ready = false;
                keep(inner, record);
            }
        }
        return Err(e);
    }
    Ok(keep(inner, record))
}

fn keep(inner: &Inner, record: SandboxRecord) -> SandboxStatus {
    let status = record.status();
    let sandbox = Sandbox { record: Mutex::new(record), change: tokio::sync::Mutex::default() };
    inner.sandboxes.lock().insert(status.id.clone(), Arc::new(sandbox));
    status
}

/// Writes a sandbox's record; that waits for the disk.
async fn save(inner: &Inner, record: &SandboxRecord) -> Result<()> {
    let (path, record) = (inner.layout.sandbox(&record.id), record.clone());
    tokio::task::spawn_blocking(move || state::write(&path, &record)).await.map_err(lost)?
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

async fn furnish(inner: &Arc<Inner>, record: &mut SandboxRecord) -> Result<()> {
    let (group, folder) = (group_of(inner, record), inner.layout.namespaces(&record.id));
    let (config, helper) = (record.config.clone(), inner.options.helper.clone());
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
        record.ips = inner.options.network.attach(&attachment(inner, record)).await?;
    }
    record.ready = true;
    Ok(())
}

/// Stops the containers of a sandbox and gives its network back.
pub(super) async fn stop(inner: &Arc<Inner>, id: &SandboxId) -> Result<()> {
    let Ok(sandbox) = inner.sandbox(id) else { return Ok(()) };
    let _one = sandbox.change.lock().await;
    let mut record = sandbox.record.lock().clone();
    if !record.ready {
        return Ok(());
    }
    for entry in inner.containers_of(id) {
        containers::stop(inner, &entry.record.id, Duration::ZERO).await?;
    }
    dismantle(inner, &record).await?;
    record.ready = false;
    record.pause = None;
    save(inner, &record).await?;
    *sandbox.record.lock() = record;
    Ok(())
}

/// Removes a sandbox and its containers.
pub(super) async fn remove(inner: &Arc<Inner>, id: &SandboxId) -> Result<()> {
    stop(inner, id).await?;
    for entry in inner.containers_of(id) {
        containers::remove(inner, &entry.record.id).await?;
    }
    let Ok(sandbox) = inner.sandbox(id) else { return Ok(()) };
    let record = sandbox.record.lock().clone();
    // Also when it was never ready, or lost its namespaces with a restart of the node.
    dismantle(inner, &record).await?;
    let group = group_of(inner, &record);
    let shared =
        |s: &Arc<Sandbox>| !Arc::ptr_eq(s, &sandbox) && group_of(inner, &s.record.lock()) == group;
    // A second try at a pod's sandbox uses the same group.
    if !inner.sandboxes.lock().values().any(shared) {
        let work = move || cgroup::remove(&group).map_err(|e| io_error(&group, e));
        tokio::task::spawn_blocking(work).await.map_err(lost)??;
    }
    state::remove(&inner.layout.sandbox(id))?;
    inner.sandboxes.lock().remove(id);
    Ok(())
}

/// Gives back the network, the namespaces and the process that holds one.
async fn dismantle(inner: &Arc<Inner>, record: &SandboxRecord) -> Result<()> {
    if !record.config.host_namespaces.network {
        inner.options.network.detach(&attachment(inner, record)).await?;
    }
    let folder = inner.layout.namespaces(&record.id);
    if let Some(pid) = record.pause.filter(|_| is_pause(&folder, record.pause)) {
        kill(pid)?;
    }
    tokio::task::spawn_blocking(move || namespaces::release(&folder)).await.map_err(lost)?
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

/// Finds the sandboxes of earlier lives.
pub(super) fn recover(inner: &Arc<Inner>) -> Result<()> {
    let folder = inner.layout.sandboxes();
    for found in std::fs::read_dir(&folder).map_err(|e| io_error(&folder, e))? {
        let path = found.map_err(|e| io_error(&folder, e))?.path();
        if path.extension().is_none_or(|e| e != "json") {
            state::remove(&path)?;
            continue;
        }
        let Some(mut record) = state::read::<SandboxRecord>(&path)? else { continue };
        let namespaces = inner.layout.namespaces(&record.id);
        if record.ready && !namespaces::alive(&namespaces, &record.config) {
            record.ready = false;
        }
        let id = record.id.clone();
        let sandbox = Sandbox { record: Mutex::new(record), change: tokio::sync::Mutex::default() };
        inner.sandboxes.lock().insert(id, Arc::new(sandbox));
    }
    Ok(())
}

/// Connects to a port on the loopback address inside.
pub(super) async fn dial(
    inner: &Arc<Inner>,
    record: &SandboxRecord,
    port: u16,
) -> Result<Box<dyn Duplex>> {
    let host = record.config.host_namespaces.network;
    let netns = inner.layout.namespaces(&record.id).join("net");
    let failed =
        move |source| Error::Io { context: format!("connect to port {port} of the pod"), source };
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

fn attachment(inner: &Inner, record: &SandboxRecord) -> Attachment {
    Attachment {
        sandbox: record.id.clone(),
        netns: inner.layout.namespaces(&record.id).join("net"),
        name: record.config.name.clone(),
        namespace: record.config.namespace.clone(),
        uid: record.config.uid.clone(),
        ports: record.config.port_mappings.clone(),
    }
}

fn group_of(inner: &Inner, record: &SandboxRecord) -> PathBuf {
    Path::new("/").join(&inner.options.root_cgroup).join(&record.config.cgroup_parent)
}

fn lost(e: tokio::task::JoinError) -> Error {
    Error::Failed(format!("a task failed: {e}"))
}
