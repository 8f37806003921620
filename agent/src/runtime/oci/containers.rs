//! Making, starting, stopping and removing containers.

use super::client::{ANSWER, ShimClient};
use super::protocol::{Reply, Request};
use super::spec::{self, Inputs};
use super::state::{self, ContainerRecord, ExitRecord, Launch, RunRecord, io_error};
use super::{Inner, capabilities, cgroup, rootfs, users};
use crate::images::blob::random_hex;
use crate::images::store::Pin;
use crate::runtime::{
    ContainerConfig, ContainerId, ContainerState, ContainerStatus, Error, Event, Resources, Result,
    SandboxConfig, SandboxId,
};
use oci_spec::image::Config as ImageConfig;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

/// How long a container may take to start.
const START: Duration = Duration::from_secs(60);
/// How long the kernel may take to end a container that was killed.
const KILL: Duration = Duration::from_secs(20);
/// Longest word of a shim about a start.
const MAX_WORD: u64 = 64 * 1024;

/// A container, as this process knows it.
pub(super) struct Entry {
    pub(super) record: ContainerRecord,
    pub(super) folder: PathBuf,
    state: watch::Sender<ContainerState>,
    /// Whether its shim runs.
    shim: watch::Sender<bool>,
    /// One task at a time starts or removes it.
    change: tokio::sync::Mutex<()>,
    _layers: Pin,
}

// === impl Entry ===

impl Entry {
    pub(super) fn status(&self) -> ContainerStatus {
        let r = &self.record;
        ContainerStatus {
            id: r.id.clone(),
            sandbox: r.sandbox.clone(),
            name: r.config.name.clone(),
            attempt: r.config.attempt,
            image: r.config.image.clone(),
            state: self.state.borrow().clone(),
            created_at: r.created_at,
            log_path: r.config.log_path.clone(),
            labels: r.config.labels.clone(),
            annotations: r.config.annotations.clone(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), ContainerState::Running { .. })
    }

    /// A connection to the shim of a container that runs.
    pub(super) async fn connect(&self) -> Result<ShimClient> {
        let gone = || Error::Failed(format!("container {} is not running", self.record.id.0));
        if !self.is_running() {
            return Err(gone());
        }
        ShimClient::connect(&self.folder).await?.ok_or_else(gone)
    }

    async fn wait_exit(&self, within: Duration) -> bool {
        let mut state = self.state.subscribe();
        let exited = state.wait_for(|s| !matches!(s, ContainerState::Running { .. }));
        tokio::time::timeout(within, exited).await.is_ok()
    }

    fn new(inner: &Inner, record: ContainerRecord, state: ContainerState) -> Self {
        let layers = inner.options.images.pin(&record.layers);
        Self {
            folder: inner.layout.container(&record.id),
            record,
            state: watch::Sender::new(state),
            shim: watch::Sender::new(false),
            change: tokio::sync::Mutex::default(),
            _layers: layers,
        }
    }
}

/// Makes a container's folder.
pub(super) async fn create(
    inner: &Arc<Inner>,
    sandbox: &SandboxId,
    config: ContainerConfig,
) -> Result<ContainerId> {
    let pod = inner.sandbox(sandbox)?.record.lock().clone();
    if !pod.ready {
        return Err(Error::Failed(format!("sandbox {} is stopped", sandbox.0)));
    }
    let inner = inner.clone();
    let work = move || {
        let id = ContainerId(random_hex());
        let folder = inner.layout.container(&id);
        let made = lay_out(&inner, &id, &pod.id, &pod.config, config);
        if made.is_err() {
            state::remove(&folder)?;
        }
        let entry = Entry::new(&inner, made?, ContainerState::Created);
        inner.containers.lock().insert(id.clone(), Arc::new(entry));
        Ok(id)
    };
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

fn lay_out(
    inner: &Inner,
    id: &ContainerId,
    sandbox: &SandboxId,
    pod: &SandboxConfig,
    config: ContainerConfig,
) -> Result<ContainerRecord> {
    let (layers, _pin) = inner.options.images.layers(&config.image)?;
    let image = inner.options.images.config(&config.image)?;
    let image = image.config().clone().unwrap_or_default();
    let folder = inner.layout.container(id);
    state::make_folder(&folder)?;
    rootfs::prepare(&folder, &layers, &spec::working_dir(&config, &image), inner.overlay)?;
    let group = Path::new("/").join(&inner.options.root_cgroup);
    let cgroup = group.join(&pod.cgroup_parent).join(&id.0);
    let spec = describe(inner, sandbox, pod, &config, &image, &layers, &cgroup, &folder)?;
    state::write(&folder.join("config.json"), &spec)?;
    let launch = Launch {
        id: id.0.clone(),
        log_path: config.log_path.clone(),
        tty: config.tty,
        stdin: config.stdin,
        stdin_once: config.stdin_once,
        kill_all: pod.share_process_namespace || pod.host_namespaces.pid,
        cgroup: cgroup.clone(),
        shim_cgroup: group.join("shims"),
    };
    state::write(&folder.join("launch.json"), &launch)?;
    let record = ContainerRecord {
        id: id.clone(),
        sandbox: sandbox.clone(),
        created_at: inner.now(),
        cgroup,
        layers,
        stop_signal: stop_signal(&config, &image)?,
        config,
    };
    state::write(&folder.join("container.json"), &record)?;
    Ok(record)
}

#[expect(
    clippy::too_many_arguments,
    reason = "what decides about a container comes from everywhere"
)]
fn describe(
    inner: &Inner,
    sandbox: &SandboxId,
    pod: &SandboxConfig,
    config: &ContainerConfig,
    image: &ImageConfig,
    layers: &[PathBuf],
    cgroup: &Path,
    folder: &Path,
) -> Result<Value> {
    let own = capabilities::own();
    let read =
        |path: &str| rootfs::read_file(layers, path).map_err(|e| io_error(Path::new(path), e));
    let user = image.user().clone().unwrap_or_default();
    let user = users::resolve(&user, &config.security, &read("etc/passwd")?, &read("etc/group")?)?;
    let resolv_conf = pod.resolv_conf.as_ref().map(|text| {
        let path = folder.join("resolv.conf");
        fs::write(&path, text).map(|()| path.clone()).map_err(|e| io_error(&path, e))
    });
    let (lowest, devices) = (lowest_oom_score(&own, &config.resources), devices(config)?);
    spec::build(&Inputs {
        container: config,
        sandbox: pod,
        image,
        user,
        capabilities: capabilities::of(&config.security, &own)?,
        namespaces: inner.layout.namespaces(sandbox),
        cgroup,
        overlay: if inner.overlay { rootfs::overlay_options(folder, layers) } else { Vec::new() },
        resolv_conf: resolv_conf.transpose()?,
        devices,
        lowest_oom_score: lowest,
    })
}

/// Without CAP_SYS_RESOURCE a process can't have a lower score than the agent has.
fn lowest_oom_score(own: &std::collections::BTreeSet<String>, wanted: &Resources) -> i32 {
    const LOWEST: i32 = -1000;
    if own.contains("CAP_SYS_RESOURCE") {
        return LOWEST;
    }
    let text = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    let mine = text.trim().parse().unwrap_or(0);
    if wanted.oom_score_adj.is_some_and(|w| w < mine) {
        tracing::warn!(
            wanted = wanted.oom_score_adj,
            lowest = mine,
            "can't lower oom_score_adj: CAP_SYS_RESOURCE is missing"
        );
    }
    mine
}

/// The node's devices, for a privileged container.
fn devices(config: &ContainerConfig) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    if config.security.privileged {
        collect_devices(Path::new("/dev"), &mut all).map_err(|e| io_error(Path::new("/dev"), e))?;
    }
    Ok(all)
}

fn collect_devices(folder: &Path, all: &mut Vec<Value>) -> std::io::Result<()> {
    const OWN: [&str; 4] = ["pts", "shm", "mqueue", "console"];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        let kind = meta.file_type();
        if OWN.iter().any(|n| entry.file_name() == *n) || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            collect_devices(&entry.path(), all)?;
        } else if kind.is_char_device() || kind.is_block_device() {
            let (major, minor) = (rustix::fs::major(meta.rdev()), rustix::fs::minor(meta.rdev()));
            all.push(json!({
                "path": entry.path(),
                "type": if kind.is_char_device() { "c" } else { "b" },
                "major": major, "minor": minor,
                "fileMode": meta.mode() & 0o777, "uid": meta.uid(), "gid": meta.gid(),
            }));
        }
    }
    Ok(())
}

fn stop_signal(config: &ContainerConfig, image: &ImageConfig) -> Result<i32> {
    let words = config.stop_signal.clone().or_else(|| image.stop_signal().clone());
    let Some(words) = words.filter(|w| !w.is_empty()) else {
        return Ok(nix::sys::signal::Signal::SIGTERM as i32);
    };
    let bad = || Error::Invalid(format!("unknown signal \"{words}\""));
    if let Ok(number) = words.parse::<i32>() {
        return nix::sys::signal::Signal::try_from(number).map(|s| s as i32).map_err(|_| bad());
    }
    let upper = words.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    nix::sys::signal::Signal::from_str(&full).map(|s| s as i32).map_err(|_| bad())
}

/// Starts a container, unless it runs.
pub(super) async fn start(inner: &Arc<Inner>, id: &ContainerId) -> Result<()> {
    let entry = inner.container(id)?;
    let _one = entry.change.lock().await;
    match &*entry.state.borrow() {
        ContainerState::Created => {}
        ContainerState::Running { .. } => return Ok(()),
        ContainerState::Exited { .. } => {
            return Err(Error::Invalid(format!("container {} has ended", id.0)));
        }
    }
    let started = launch(inner, &entry).await;
    if let Err(e) = &started {
        settle(inner, &entry, &e.to_string())?;
    }
    started
}

/// Starts the shim and waits for its word.
async fn launch(inner: &Arc<Inner>, entry: &Arc<Entry>) -> Result<()> {
    let helper = &inner.options.helper;
    let log = entry.folder.join("shim.log");
    let stderr =
        File::options().create(true).append(true).open(&log).map_err(|e| io_error(&log, e))?;
    let mut child = tokio::process::Command::new(helper)
        .args(["oci-shim", "run"])
        .arg(&entry.folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(|e| io_error(helper, e))?;
    let mut word = Vec::new();
    let said = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_WORD).read_to_end(&mut word).await.map_err(|e| io_error(helper, e))?;
        }
        Ok(())
    };
    let heard = tokio::time::timeout(START, said).await;
    if heard.is_err() {
        child.start_kill().map_err(|e| io_error(helper, e))?;
    }
    // Somebody has to wait for the shim when it ends.
    tokio::spawn(async move { child.wait().await });
    heard.map_err(|_| Error::Failed("the container's start took too long".into()))??;
    match serde_json::from_slice(word.trim_ascii_end()) {
        Ok(Reply::Started { pid, started_at }) => {
            watch_shim(inner, entry, RunRecord { pid, started_at }).await
        }
        Ok(Reply::Failed(words)) => Err(Error::Start(words)),
        _ => {
            let words = fs::read_to_string(&log).unwrap_or_default();
            Err(Error::Failed(format!("the container's shim failed: {}", words.trim())))
        }
    }
}

/// Follows a container that runs until its shim is gone.
async fn watch_shim(inner: &Arc<Inner>, entry: &Arc<Entry>, run: RunRecord) -> Result<()> {
    entry.shim.send_replace(true);
    entry.state.send_replace(run.state());
    publish(inner, Event::Started(entry.record.id.clone()));
    let client = ShimClient::connect(&entry.folder).await?;
    if let Some(client) = &client {
        client.send(&Request::Watch, &[]).await?;
    }
    tokio::spawn(follow(Arc::downgrade(inner), entry.clone(), client));
    Ok(())
}

/// Doesn't keep the runtime alive: what happens after it is dropped is found by the next one.
async fn follow(inner: Weak<Inner>, entry: Arc<Entry>, client: Option<ShimClient>) {
    if let Some(mut client) = client {
        loop {
            match client.receive().await {
                Ok(Some(Reply::Exited(_))) => conclude(&inner, &entry),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(e) => {
                    tracing::warn!(container = entry.record.id.0, error = %e, "lost a container's shim");
                    break;
                }
            }
        }
    }
    entry.shim.send_replace(false);
    conclude(&inner, &entry);
}

/// Notes how a container has ended.
fn conclude(inner: &Weak<Inner>, entry: &Entry) {
    let Some(inner) = inner.upgrade().filter(|_| entry.is_running()) else { return };
    if let Err(e) = settle(&inner, entry, "the container's shim was killed") {
        tracing::error!(container = entry.record.id.0, error = %e, "can't note how a container ended");
    }
    publish(&inner, Event::Exited(entry.record.id.clone()));
}

/// Takes the shim's record of the end; where there is none, kills what is left and writes one.
fn settle(inner: &Inner, entry: &Entry, why: &str) -> Result<()> {
    let path = entry.folder.join("exit.json");
    let exit = match state::read::<ExitRecord>(&path)? {
        Some(exit) => exit,
        None => {
            let killed = cgroup::kill_all(&entry.record.cgroup)
                .and_then(|()| cgroup::remove(&entry.record.cgroup));
            let exit = lost_record(inner, entry, why);
            state::write(&path, &exit)?;
            killed.map_err(|e| io_error(&entry.record.cgroup, e))?;
            exit
        }
    };
    entry.state.send_replace(exit.state());
    Ok(())
}

fn lost_record(inner: &Inner, entry: &Entry, why: &str) -> ExitRecord {
    let (started_at, exit_code, reason) = match &*entry.state.borrow() {
        ContainerState::Running { started_at, .. } => (Some(*started_at), 137, "Error"),
        _ => (None, 128, "StartError"),
    };
    ExitRecord {
        started_at,
        finished_at: inner.now(),
        exit_code,
        reason: reason.into(),
        message: why.into(),
    }
}

fn publish(inner: &Inner, event: Event) {
    // Nobody listening is no error.
    inner.events.send(event).ok();
}

/// Asks a container to end, and kills it when it doesn't in time.
pub(super) async fn stop(inner: &Arc<Inner>, id: &ContainerId, grace: Duration) -> Result<()> {
    let Ok(entry) = inner.container(id) else { return Ok(()) };
    if !entry.is_running() {
        return Ok(());
    }
    if !grace.is_zero() {
        signal(&entry, entry.record.stop_signal).await?;
        if entry.wait_exit(grace).await {
            return Ok(());
        }
    }
    signal(&entry, nix::sys::signal::Signal::SIGKILL as i32).await?;
    if entry.wait_exit(KILL).await {
        return Ok(());
    }
    Err(Error::Failed(format!("container {} does not end", id.0)))
}

async fn signal(entry: &Entry, number: i32) -> Result<()> {
    let Some(mut client) = ShimClient::connect(&entry.folder).await? else { return Ok(()) };
    client.send(&Request::Kill(number), &[]).await?;
    match tokio::time::timeout(ANSWER, client.receive()).await {
        Ok(Ok(Some(Reply::Failed(words)))) => {
            // It ended just now: what is waited for comes.
            tracing::debug!(container = entry.record.id.0, words, "signal not sent");
            Ok(())
        }
        Ok(done) => done.map(|_| ()),
        Err(_) => Err(Error::Failed("the container's shim does not answer".into())),
    }
}

/// Removes a container and what it wrote.
pub(super) async fn remove(inner: &Arc<Inner>, id: &ContainerId) -> Result<()> {
    let Ok(entry) = inner.container(id) else { return Ok(()) };
    let _one = entry.change.lock().await;
    stop(inner, id, Duration::ZERO).await?;
    let mut shim = entry.shim.subscribe();
    if tokio::time::timeout(KILL, shim.wait_for(|runs| !runs)).await.is_err() {
        return Err(Error::Failed(format!("the shim of container {} does not end", id.0)));
    }
    let (folder, group) = (entry.folder.clone(), entry.record.cgroup.clone());
    let work = move || {
        cgroup::remove(&group).map_err(|e| io_error(&group, e))?;
        state::remove(&folder)
    };
    tokio::task::spawn_blocking(work).await.map_err(lost)??;
    inner.containers.lock().remove(id);
    Ok(())
}

/// Finds the containers of earlier lives.
pub(super) async fn recover(inner: &Arc<Inner>) -> Result<()> {
    let folder = inner.layout.containers();
    for found in fs::read_dir(&folder).map_err(|e| io_error(&folder, e))? {
        let path = found.map_err(|e| io_error(&folder, e))?.path();
        match state::read::<ContainerRecord>(&path.join("container.json"))? {
            Some(record) => recover_one(inner, record, &path).await?,
            // Its making was cut short.
            None => state::remove(&path)?,
        }
    }
    Ok(())
}

async fn recover_one(inner: &Arc<Inner>, record: ContainerRecord, folder: &Path) -> Result<()> {
    let id = record.id.clone();
    let exit = state::read::<ExitRecord>(&folder.join("exit.json"))?;
    let state = exit.as_ref().map_or(ContainerState::Created, ExitRecord::state);
    let entry = Arc::new(Entry::new(inner, record, state));
    inner.containers.lock().insert(id, entry.clone());
    if let Some(mut client) = ShimClient::connect(folder).await? {
        client.send(&Request::Watch, &[]).await?;
        if let Reply::Started { pid, started_at } = client.answer().await? {
            entry.shim.send_replace(true);
            if exit.is_none() {
                entry.state.send_replace(RunRecord { pid, started_at }.state());
            }
            tokio::spawn(follow(Arc::downgrade(inner), entry, Some(client)));
        }
        return Ok(());
    }
    let run = state::read::<RunRecord>(&folder.join("run.json"))?;
    if let (None, Some(run)) = (exit, run) {
        entry.state.send_replace(run.state());
        settle(inner, &entry, "the container's shim was killed, or the node restarted")?;
    }
    Ok(())
}

fn lost(e: tokio::task::JoinError) -> Error {
    Error::Failed(format!("a task failed: {e}"))
}
