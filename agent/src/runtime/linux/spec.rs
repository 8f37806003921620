//! The OCI configuration of a container, made from the pod's words and the image's.

use super::users::User;
use crate::runtime::{ContainerConfig, Error, Propagation, Result, SandboxConfig};
use oci_spec::image::Config as ImageConfig;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// All that decides about a container.
pub(in crate::runtime) struct Inputs<'a> {
    pub(in crate::runtime) container: &'a ContainerConfig,
    pub(in crate::runtime) sandbox: &'a SandboxConfig,
    pub(in crate::runtime) image: &'a ImageConfig,
    pub(in crate::runtime) user: User,
    pub(in crate::runtime) capabilities: Vec<String>,
    /// The filter of system calls.
    pub(in crate::runtime) seccomp: Option<Value>,
    /// Folder of the sandbox's namespaces.
    pub(in crate::runtime) namespaces: PathBuf,
    pub(in crate::runtime) cgroup: &'a Path,
    /// Options of the overlay on the root; empty when the root is a copy.
    pub(in crate::runtime) overlay: Vec<String>,
    /// A file with the sandbox's `/etc/resolv.conf`.
    pub(in crate::runtime) resolv_conf: Option<PathBuf>,
    /// The node's devices that it has.
    pub(in crate::runtime) devices: Vec<Value>,
    /// The lowest out-of-memory score that may be given.
    pub(in crate::runtime) lowest_oom_score: i32,
}

/// The program and its arguments: the pod's command and arguments over the image's.
pub(in crate::runtime) fn arguments(
    container: &ContainerConfig,
    image: &ImageConfig,
) -> Result<Vec<String>> {
    let entry = image.entrypoint().clone().unwrap_or_default();
    let cmd = image.cmd().clone().unwrap_or_default();
    let given = (!container.command.is_empty(), !container.args.is_empty());
    let (command, args) = match given {
        (true, _) => (&container.command, &container.args),
        (false, true) => (&entry, &container.args),
        (false, false) => (&entry, &cmd),
    };
    let all: Vec<String> = command.iter().chain(args).cloned().collect();
    if all.is_empty() {
        return Err(Error::Invalid("no command specified".into()));
    }
    Ok(all)
}

/// The directory the program starts in.
pub(in crate::runtime) fn working_dir(container: &ContainerConfig, image: &ImageConfig) -> PathBuf {
    let own = container.working_dir.clone().filter(|d| !d.is_empty());
    let dir = own.or_else(|| image.working_dir().clone().filter(|d| !d.is_empty()));
    Path::new("/").join(dir.unwrap_or_default())
}

/// The whole configuration.
pub(in crate::runtime) fn build(inputs: &Inputs<'_>) -> Result<Value> {
    let privileged = inputs.container.security.privileged;
    let mut linux = json!({
        "namespaces": namespaces(inputs),
        "cgroupsPath": inputs.cgroup,
        "resources": resources(inputs),
        "devices": inputs.devices,
        "rootfsPropagation": propagation(inputs.container),
    });
    if !privileged {
        linux["maskedPaths"] = json!(MASKED);
        linux["readonlyPaths"] = json!(READ_ONLY);
    }
    if let Some(filter) = &inputs.seccomp {
        linux["seccomp"] = filter.clone();
    }
    Ok(json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs", "readonly": inputs.container.security.read_only_root },
        "process": process(inputs)?,
        "mounts": mounts(inputs),
        "linux": linux,
    }))
}

fn process(inputs: &Inputs<'_>) -> Result<Value> {
    let c = inputs.container;
    let mut process = json!({
        "terminal": c.tty,
        "user": { "uid": inputs.user.uid, "gid": inputs.user.gid, "additionalGids": inputs.user.groups },
        "args": arguments(c, inputs.image)?,
        "env": environment(inputs),
        "cwd": working_dir(c, inputs.image),
        "capabilities": {
            "bounding": inputs.capabilities,
            "effective": inputs.capabilities,
            "permitted": inputs.capabilities,
            "inheritable": [],
            "ambient": [],
        },
    });
    // Left out when it isn't so: what is said at all makes libcontainer load a filter after it has given up its rights.
    if c.security.no_new_privileges {
        process["noNewPrivileges"] = json!(true);
    }
    if let Some(score) = c.resources.oom_score_adj {
        process["oomScoreAdj"] = json!(score.max(inputs.lowest_oom_score));
    }
    Ok(process)
}

fn environment(inputs: &Inputs<'_>) -> Vec<String> {
    let mut all: Vec<String> = vec![PATH.to_string()];
    if inputs.container.tty {
        all.push("TERM=xterm".into());
    }
    if !inputs.sandbox.hostname.is_empty() {
        all.push(format!("HOSTNAME={}", inputs.sandbox.hostname));
    }
    all.extend(inputs.image.env().clone().unwrap_or_default());
    all.extend(inputs.container.env.iter().map(|(k, v)| format!("{k}={v}")));
    // The last one of a name wins, in the place of the first.
    let mut kept: Vec<String> = Vec::new();
    for entry in all {
        match kept.iter_mut().find(|k| name_of(k) == name_of(&entry)) {
            Some(same) => *same = entry,
            None => kept.push(entry),
        }
    }
    kept
}

fn name_of(variable: &str) -> &str {
    variable.split('=').next().unwrap_or_default()
}

fn namespaces(inputs: &Inputs<'_>) -> Vec<Value> {
    let host = inputs.sandbox.host_namespaces;
    let at = |name: &str| inputs.namespaces.join(name);
    let mut all = vec![json!({ "type": "mount" })];
    if !host.network {
        all.push(json!({ "type": "network", "path": at("net") }));
        all.push(json!({ "type": "uts", "path": at("uts") }));
    }
    if !host.ipc {
        all.push(json!({ "type": "ipc", "path": at("ipc") }));
    }
    match (host.pid, inputs.sandbox.share_process_namespace) {
        (true, _) => {}
        (false, true) => all.push(json!({ "type": "pid", "path": at("pid") })),
        (false, false) => all.push(json!({ "type": "pid" })),
    }
    all
}

fn mounts(inputs: &Inputs<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    if !inputs.overlay.is_empty() {
        all.push(mount("/", "overlay", "overlay", &inputs.overlay));
    }
    let sys = if inputs.container.security.privileged { "rw" } else { "ro" };
    all.push(mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]));
    all.push(mount(
        "/dev",
        "tmpfs",
        "tmpfs",
        &["nosuid", "strictatime", "mode=755", "size=65536k"],
    ));
    all.push(mount(
        "/dev/pts",
        "devpts",
        "devpts",
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    ));
    all.push(mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]));
    all.push(mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", sys]));
    all.push(mount(
        "/sys/fs/cgroup",
        "cgroup",
        "cgroup",
        &["nosuid", "noexec", "nodev", "relatime", sys],
    ));
    let shm = if inputs.sandbox.host_namespaces.ipc {
        PathBuf::from("/dev/shm")
    } else {
        inputs.namespaces.join("shm")
    };
    all.push(mount("/dev/shm", "bind", &shm.to_string_lossy(), &["rbind", "rprivate", "rw"]));
    let given = |path: &str| inputs.container.mounts.iter().any(|m| m.target == Path::new(path));
    if let Some(file) = inputs.resolv_conf.as_ref().filter(|_| !given("/etc/resolv.conf")) {
        all.push(mount(
            "/etc/resolv.conf",
            "bind",
            &file.to_string_lossy(),
            &["rbind", "rprivate", "rw"],
        ));
    }
    // Outer ones first, so that inner ones are seen.
    let mut own: Vec<_> = inputs.container.mounts.iter().collect();
    own.sort_by_key(|m| m.target.components().count());
    for m in own {
        let rights = if m.read_only { "ro" } else { "rw" };
        let target = m.target.to_string_lossy();
        all.retain(|other| other["destination"] != json!(target));
        let mut options = vec!["rbind", word(m.propagation), rights];
        options.extend(m.no_exec.then_some("noexec"));
        all.push(mount(&target, "bind", &m.source.to_string_lossy(), &options));
    }
    all
}

fn mount<S: AsRef<str>>(destination: &str, kind: &str, source: &str, options: &[S]) -> Value {
    let options: Vec<&str> = options.iter().map(AsRef::as_ref).collect();
    json!({ "destination": destination, "type": kind, "source": source, "options": options })
}

fn word(propagation: Propagation) -> &'static str {
    match propagation {
        Propagation::Private => "rprivate",
        Propagation::HostToContainer => "rslave",
        Propagation::Bidirectional => "rshared",
    }
}

fn propagation(container: &ContainerConfig) -> &'static str {
    let shared = |m: &crate::runtime::Mount| m.propagation == Propagation::Bidirectional;
    if container.mounts.iter().any(shared) { "shared" } else { "slave" }
}

fn resources(inputs: &Inputs<'_>) -> Value {
    let (r, privileged) = (&inputs.container.resources, inputs.container.security.privileged);
    let mut rules = vec![json!({ "allow": privileged, "access": "rwm" })];
    rules.extend(inputs.container.devices.iter().filter_map(|given| {
        let device = inputs.devices.iter().find(|d| d["path"] == json!(given.target))?;
        let (kind, major, minor) = (&device["type"], &device["major"], &device["minor"]);
        let access = &given.permissions;
        Some(json!({ "allow": true, "type": kind, "major": major, "minor": minor, "access": access }))
    }));
    let mut all = json!({ "devices": rules });
    let mut cpu = serde_json::Map::new();
    cpu.extend(r.cpu_shares.map(|v| ("shares".to_string(), json!(v))));
    cpu.extend(r.cpu_quota.map(|v| ("quota".to_string(), json!(v))));
    cpu.extend(r.cpu_period.map(|v| ("period".to_string(), json!(v))));
    if !cpu.is_empty() {
        all["cpu"] = Value::Object(cpu);
    }
    if let Some(limit) = r.memory_limit {
        all["memory"] = json!({ "limit": limit });
    }
    if let Some(limit) = r.pids_limit {
        all["pids"] = json!({ "limit": limit });
    }
    all
}

#[cfg(test)]
mod tests;
