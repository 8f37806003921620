//! Control groups, both versions: limits of a pod, leftovers of a container.
//!
//! With version 1 (also where an empty version 2 hierarchy is mounted beside it) a group is a folder
//! in each hierarchy; with version 2 it is one folder.

use super::lost;
use super::state::io_error;
use crate::runtime::{self, Resources};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROOT: &str = "/sys/fs/cgroup";
/// How long the processes of a group may take to die.
const DYING: Duration = Duration::from_secs(1);

/// Makes the pod's group and sets its limits.
pub(in crate::runtime) fn apply(group: &Path, resources: &Resources) -> io::Result<()> {
    if is_unified() { apply_v2(group, resources) } else { apply_v1(group, resources) }
}

/// Moves a process into a group, in every hierarchy, made when missing.
pub(in crate::runtime) fn join(group: &Path, pid: u32) -> io::Result<()> {
    if is_unified() {
        enable_controllers(group)?;
    }
    for folder in folders(group) {
        // An empty cpuset takes no process.
        if folder.starts_with(Path::new(ROOT).join("cpuset")) {
            continue;
        }
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("cgroup.procs"), pid.to_string())?;
    }
    Ok(())
}

/// Kills all processes of a group and of those below.
pub(in crate::runtime) fn kill_all(group: &Path) -> io::Result<()> {
    if is_unified() && fs::write(at_root(group).join("cgroup.kill"), "1").is_ok() {
        return Ok(());
    }
    for folder in folders(group) {
        kill_below(&folder)?;
    }
    Ok(())
}

/// Removes a group and those below; waits for processes that are just dying, and so blocks its thread. One that isn't
/// there is no error.
pub(in crate::runtime) fn remove(group: &Path) -> io::Result<()> {
    let deadline = Instant::now() + DYING;
    // Where both versions are mounted runc makes its groups in the second's hierarchy too.
    let second = Path::new(ROOT).join("unified").join(relative(group));
    for folder in folders(group).into_iter().chain([second]) {
        loop {
            match remove_below(&folder) {
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy && Instant::now() < deadline => {
                    await_ends(&folder, deadline)?;
                }
                done => break done?,
            }
        }
    }
    Ok(())
}

/// [`remove`], from a task.
pub(in crate::runtime) async fn remove_soon(group: &Path) -> runtime::Result<()> {
    blocking(group, remove).await
}

/// Kills what is in a group, and removes it, from a task.
pub(in crate::runtime) async fn clear(group: &Path) -> runtime::Result<()> {
    blocking(group, |group| kill_all(group).and_then(|()| remove(group))).await
}

async fn blocking(
    group: &Path,
    work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
) -> runtime::Result<()> {
    let group = group.to_path_buf();
    let work = move || work(&group).map_err(|e| io_error(&group, e));
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

/// Waits until the processes of a group and of those below have ended. (The kernel tells nobody when a group of
/// version 1 has become empty, but it tells when a process ends.)
fn await_ends(folder: &Path, deadline: Instant) -> io::Result<()> {
    for pid in processes(folder)? {
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    children(folder)?.iter().try_for_each(|below| await_ends(below, deadline))
}

/// How many processes of a group the kernel has killed for want of memory.
pub(in crate::runtime) fn oom_kills(group: &Path) -> u64 {
    let file = if is_unified() {
        at_root(group).join("memory.events")
    } else {
        under("memory", group).join("memory.oom_control")
    };
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("oom_kill "));
    line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// Whether there is one hierarchy, of version 2.
pub(in crate::runtime) fn is_unified() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

fn apply_v1(group: &Path, r: &Resources) -> io::Result<()> {
    for folder in folders(group) {
        fs::create_dir_all(folder)?;
    }
    inherit_cpuset(group)?;
    set(under("cpu", group).join("cpu.shares"), r.cpu_shares)?;
    set(under("cpu", group).join("cpu.cfs_period_us"), r.cpu_period)?;
    set(under("cpu", group).join("cpu.cfs_quota_us"), r.cpu_quota)?;
    set(under("memory", group).join("memory.limit_in_bytes"), r.memory_limit)?;
    set(under("pids", group).join("pids.max"), r.pids_limit)
}

/// A new cpuset is empty, and takes no process until it has what its parent has.
fn inherit_cpuset(group: &Path) -> io::Result<()> {
    let root = Path::new(ROOT).join("cpuset");
    if !root.exists() {
        return Ok(());
    }
    let mut folder = root;
    for part in relative(group).components() {
        let parent = folder.clone();
        folder.push(part);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if fs::read_to_string(folder.join(file))?.trim().is_empty() {
                fs::write(folder.join(file), fs::read_to_string(parent.join(file))?.trim())?;
            }
        }
    }
    Ok(())
}

fn apply_v2(group: &Path, r: &Resources) -> io::Result<()> {
    enable_controllers(group)?;
    let folder = at_root(group);
    fs::create_dir_all(&folder)?;
    set(folder.join("cpu.weight"), r.cpu_shares.map(weight_of))?;
    let period = r.cpu_period.unwrap_or(100_000);
    let quota = r.cpu_quota.filter(|q| *q > 0);
    set(folder.join("cpu.max"), quota.map(|q| format!("{q} {period}")))?;
    set(folder.join("memory.max"), r.memory_limit)?;
    set(folder.join("pids.max"), r.pids_limit)
}

/// Lets all folders above a group hand its controllers down.
fn enable_controllers(group: &Path) -> io::Result<()> {
    let mut folder = PathBuf::from(ROOT);
    let wanted = ["cpu", "cpuset", "memory", "pids", "io"];
    for part in relative(group).components() {
        let has = fs::read_to_string(folder.join("cgroup.controllers"))?;
        for controller in has.split_whitespace().filter(|c| wanted.contains(c)) {
            fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"))?;
        }
        folder.push(part);
        fs::create_dir_all(&folder)?;
    }
    Ok(())
}

/// The version 2 weight of version 1 shares, by the formula the OCI runtimes share.
fn weight_of(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    1 + ((shares - 2) * 9999) / 262_142
}

fn set<T: ToString>(file: PathBuf, value: Option<T>) -> io::Result<()> {
    let Some(value) = value else { return Ok(()) };
    fs::write(&file, value.to_string())
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", file.display())))
}

fn kill_below(folder: &Path) -> io::Result<()> {
    for pid in processes(folder)? {
        match rustix::process::kill_process(pid, rustix::process::Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(e) => return Err(e.into()),
        }
    }
    children(folder)?.iter().try_for_each(|c| kill_below(c))
}

fn processes(folder: &Path) -> io::Result<Vec<Pid>> {
    let text = match fs::read_to_string(folder.join("cgroup.procs")) {
        Err(e) if gone(&e) => return Ok(Vec::new()),
        text => text?,
    };
    Ok(text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect())
}

fn remove_below(folder: &Path) -> io::Result<()> {
    children(folder)?.iter().try_for_each(|c| remove_below(c))?;
    match fs::remove_dir(folder) {
        Err(e) if gone(&e) => Ok(()),
        done => done,
    }
}

pub(super) fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if gone(&e) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

pub(super) fn gone(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::NotFound
        || e.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error())
}

/// The folders of a group: one a hierarchy.
fn folders(group: &Path) -> Vec<PathBuf> {
    if is_unified() {
        return vec![at_root(group)];
    }
    let Ok(entries) = fs::read_dir(ROOT) else { return Vec::new() };
    let real = entries
        .filter_map(Result::ok)
        .filter(|e| e.file_type().is_ok_and(|t| t.is_dir()) && e.file_name() != "unified");
    real.filter(|e| e.path().join("cgroup.procs").exists())
        .map(|e| e.path().join(relative(group)))
        .collect()
}

pub(super) fn under(controller: &str, group: &Path) -> PathBuf {
    Path::new(ROOT).join(controller).join(relative(group))
}

pub(super) fn at_root(group: &Path) -> PathBuf {
    Path::new(ROOT).join(relative(group))
}

fn relative(group: &Path) -> &Path {
    group.strip_prefix("/").unwrap_or(group)
}

#[cfg(test)]
mod tests {
    use super::weight_of;

    #[test]
    fn weights_are_those_of_other_runtimes() {
        assert_eq!(weight_of(2), 1);
        assert_eq!(weight_of(1024), 39);
        assert_eq!(weight_of(262_144), 10_000);
    }
}
