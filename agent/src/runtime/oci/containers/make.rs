//! Makes containers that are not yet started.

use super::super::spec::{self, Inputs};
use super::super::state::{self, ContainerRecord, Launch, io_error};
use super::super::{Inner, capabilities, rootfs, users};
use super::{Entry, lost};
use crate::images::blob::random_hex;
use crate::images::store::Pin;
use crate::runtime::{
    ContainerConfig, ContainerId, ContainerState, Error, Resources, Result, SandboxConfig,
    SandboxId,
};
use oci_spec::image::Config as ImageConfig;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// Makes a container's folder.
pub(in super::super) async fn create(
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
        let (record, layers) = made?;
        let entry = Entry::new(&inner, record, ContainerState::Created, layers);
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
) -> Result<(ContainerRecord, Pin)> {
    let (layers, pin) = inner.options.images.layers(&config.image)?;
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
        log_limits: config.log_limits,
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
    Ok((record, pin))
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
fn lowest_oom_score(own: &BTreeSet<String>, wanted: &Resources) -> i32 {
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
