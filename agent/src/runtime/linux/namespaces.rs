//! Namespaces of a sandbox, held by bind mounts instead of a process.

use super::state::{io_error, make_folder};
use crate::runtime::{Error, Result, SandboxConfig};
use nix::sched::{CloneFlags, setns, unshare};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a sandbox's namespaces are made of.
pub(in crate::runtime) struct Plan<'a> {
    pub(in crate::runtime) folder: PathBuf,
    pub(in crate::runtime) config: &'a SandboxConfig,
    pub(in crate::runtime) helper: &'a Path,
}

/// Makes the namespaces, and gives the process that holds a shared process namespace.
pub(in crate::runtime) fn make(plan: &Plan<'_>) -> Result<Option<Child>> {
    make_folder(&plan.folder)?;
    let host = plan.config.host_namespaces;
    let mut flags = CloneFlags::empty();
    let mut kinds = Vec::new();
    if !host.network {
        flags |= CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS;
        kinds.extend(["net", "uts"]);
    }
    if !host.ipc {
        flags |= CloneFlags::CLONE_NEWIPC;
        kinds.push("ipc");
        make_shm(&plan.folder.join("shm"))?;
    }
    let shared_pid = plan.config.share_process_namespace && !host.pid;
    if shared_pid {
        flags |= CloneFlags::CLONE_NEWPID;
    }
    // A thread of its own, which ends with this: the others keep their namespaces.
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            unshare(flags)
                .map_err(|e| Error::Io { context: "unshare".into(), source: e.into() })?;
            furnish(plan.config, &kinds)?;
            kinds.iter().try_for_each(|kind| keep(plan, kind, "/proc/thread-self"))?;
            shared_pid.then(|| hold_pid(plan)).transpose()
        });
        worker.join().unwrap_or_else(|_| Err(Error::Failed("making namespaces failed".into())))
    })
}

/// Gives up what [`make`] made. What is gone already is no error.
pub(in crate::runtime) fn release(folder: &Path) -> Result<()> {
    for name in ["net", "uts", "ipc", "pid", "shm"] {
        let path = folder.join(name);
        match unmount(&path, UnmountFlags::DETACH) {
            Ok(()) | Err(rustix::io::Errno::NOENT | rustix::io::Errno::INVAL) => {}
            Err(e) => return Err(io_error(&path, e)),
        }
    }
    super::state::remove(folder)
}

/// Whether the namespaces of a sandbox are still there: they don't survive a restart of the machine.
pub(in crate::runtime) fn alive(folder: &Path, config: &SandboxConfig) -> bool {
    const NSFS: i64 = 0x6e73_6673;
    let held = |name: &str| rustix::fs::statfs(folder.join(name)).is_ok_and(|s| s.f_type == NSFS);
    (config.host_namespaces.network || held("net")) && (config.host_namespaces.ipc || held("ipc"))
}

/// Runs `work` in a network namespace, on a thread of its own.
pub(crate) fn within<T: Send>(
    netns: &Path,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    let file = File::open(netns)?;
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET)?;
            work()
        });
        worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread failed")))
    })
}

fn furnish(config: &SandboxConfig, kinds: &[&str]) -> Result<()> {
    if kinds.contains(&"uts") && !config.hostname.is_empty() {
        nix::unistd::sethostname(&config.hostname)
            .map_err(|e| Error::Io { context: "sethostname".into(), source: e.into() })?;
    }
    for (name, value) in &config.sysctls {
        let safe = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b));
        let namespaced = (name.starts_with("net.") && kinds.contains(&"net"))
            || (ipc_sysctl(name) && kinds.contains(&"ipc"));
        if !safe || name.contains("..") || !namespaced {
            return Err(Error::Invalid(format!(
                "sysctl \"{name}\" is not of a namespace of the pod"
            )));
        }
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        fs::write(&path, value).map_err(|e| io_error(&path, e))?;
    }
    Ok(())
}

fn ipc_sysctl(name: &str) -> bool {
    name.starts_with("fs.mqueue.")
        || name.starts_with("kernel.msg")
        || name.starts_with("kernel.sem")
        || name.starts_with("kernel.shm")
}

/// Starts the process that holds a process namespace.
fn hold_pid(plan: &Plan<'_>) -> Result<Child> {
    let mut child = start_pause(plan)?;
    keep(plan, "pid", &format!("/proc/{}", child.id())).inspect_err(|_| {
        // Nobody would know of it.
        if let Err(error) = child.kill().and_then(|()| child.wait()) {
            tracing::warn!(%error, "can't end the process of a sandbox that failed");
        }
    })?;
    Ok(child)
}

fn start_pause(plan: &Plan<'_>) -> Result<Child> {
    Command::new(plan.helper)
        .args(["oci-shim", "pause"])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| io_error(plan.helper, e))
}

fn keep(plan: &Plan<'_>, kind: &str, process: &str) -> Result<()> {
    let path = plan.folder.join(kind);
    File::create(&path).map_err(|e| io_error(&path, e))?;
    mount_bind(format!("{process}/ns/{kind}"), &path).map_err(|e| io_error(&path, e))
}

fn make_shm(path: &Path) -> Result<()> {
    make_folder(path)?;
    let flags = MountFlags::NOEXEC | MountFlags::NOSUID | MountFlags::NODEV;
    mount("shm", path, "tmpfs", flags, c"mode=1777,size=65536k").map_err(|e| io_error(path, e))
}
