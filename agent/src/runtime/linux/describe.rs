//! From what a pod and an image say to what an OCI runtime is told.

use super::spec::{self, Inputs};
use super::state::io_error;
use super::{capabilities, seccomp, users};
use crate::images::resolve::{Missing, resolve_in};
use crate::runtime::{ContainerConfig, Error, Resources, Result, SandboxConfig};
use oci_spec::image::Config as ImageConfig;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// All that decides about a container.
pub(in crate::runtime) struct Parts<'a> {
    pub(in crate::runtime) pod: &'a SandboxConfig,
    pub(in crate::runtime) config: &'a ContainerConfig,
    pub(in crate::runtime) image: &'a ImageConfig,
    /// Folder of the sandbox's namespaces.
    pub(in crate::runtime) namespaces: PathBuf,
    pub(in crate::runtime) cgroup: &'a Path,
    /// Folders of the image's layers, lowest first.
    pub(in crate::runtime) layers: &'a [PathBuf],
    /// The container's own folder.
    pub(in crate::runtime) folder: &'a Path,
    /// Options of the overlay that the container mounts on its root itself; empty when it is mounted for it.
    pub(in crate::runtime) overlay: Vec<String>,
}

/// The OCI configuration of a container.
pub(in crate::runtime) fn describe(parts: &Parts<'_>) -> Result<Value> {
    let own = capabilities::own();
    let read = |path: &str| read_file(parts.layers, path).map_err(|e| io_error(Path::new(path), e));
    let (config, user) = (parts.config, parts.image.user().clone().unwrap_or_default());
    let user = users::resolve(&user, &config.security, &read("etc/passwd")?, &read("etc/group")?)?;
    let resolv_conf = parts.pod.resolv_conf.as_ref().map(|text| {
        let path = parts.folder.join("resolv.conf");
        fs::write(&path, text).map(|()| path.clone()).map_err(|e| io_error(&path, e))
    });
    let capabilities = capabilities::of(&config.security, &own)?;
    spec::build(&Inputs {
        seccomp: seccomp::of(&config.security, &capabilities)?,
        container: config,
        sandbox: parts.pod,
        image: parts.image,
        user,
        capabilities,
        namespaces: parts.namespaces.clone(),
        cgroup: parts.cgroup,
        overlay: parts.overlay.clone(),
        resolv_conf: resolv_conf.transpose()?,
        devices: devices(config)?,
        lowest_oom_score: lowest_oom_score(&own, &config.resources),
    })
}

/// The number of the signal that asks a container to stop.
pub(in crate::runtime) fn stop_signal(
    config: &ContainerConfig,
    image: &ImageConfig,
) -> Result<i32> {
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

/// A file of the image, links followed inside the layer that has it; empty when no layer has it.
fn read_file(layers: &[PathBuf], path: &str) -> io::Result<String> {
    for layer in layers.iter().rev() {
        let at = resolve_in(layer, Path::new(path), Missing::Keep)?;
        match fs::metadata(&at) {
            Ok(meta) if meta.is_file() => return fs::read_to_string(&at),
            Ok(_) => return Ok(String::new()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => {}
            Err(e) => return Err(e),
        }
    }
    Ok(String::new())
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

/// The node's devices: all for a privileged container, else those that it is given.
fn devices(config: &ContainerConfig) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    if config.security.privileged {
        collect_devices(Path::new("/dev"), &mut all).map_err(|e| io_error(Path::new("/dev"), e))?;
    }
    for given in &config.devices {
        let meta = fs::metadata(&given.source).map_err(|e| io_error(&given.source, e))?;
        let device = device(&given.target, &meta);
        let none = || Error::Invalid(format!("{} is no device", given.source.display()));
        all.retain(|known: &Value| known["path"] != json!(given.target));
        all.push(device.ok_or_else(none)?);
    }
    Ok(all)
}

fn collect_devices(folder: &Path, all: &mut Vec<Value>) -> std::io::Result<()> {
    const OWN: [&str; 4] = ["pts", "shm", "mqueue", "console"];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if OWN.iter().any(|n| entry.file_name() == *n) || meta.is_symlink() {
            continue;
        }
        if meta.is_dir() {
            collect_devices(&entry.path(), all)?;
        } else {
            all.extend(device(&entry.path(), &meta));
        }
    }
    Ok(())
}

/// A device as the OCI configuration has it; none when it is something else.
fn device(path: &Path, meta: &fs::Metadata) -> Option<Value> {
    let kind = meta.file_type();
    let word = if kind.is_char_device() {
        "c"
    } else if kind.is_block_device() {
        "b"
    } else {
        return None;
    };
    Some(json!({
        "path": path, "type": word,
        "major": rustix::fs::major(meta.rdev()), "minor": rustix::fs::minor(meta.rdev()),
        "fileMode": meta.mode() & 0o777, "uid": meta.uid(), "gid": meta.gid(),
    }))
}
