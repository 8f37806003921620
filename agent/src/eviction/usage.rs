//! What pods use of memory and process numbers, read from the control groups of their containers.

use super::rank::Use;
use crate::pod_workers::snapshot::PodRuntime;
use crate::runtime::ContainerState;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// What a pod's containers use now; what has just ended uses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// Bytes that can't be taken away at once, of each container.
    pub(super) memory: BTreeMap<String, Use>,
    pub(super) processes: i64,
}

/// Looks; reads files, and so blocks. `request` is what a container asks for.
pub(super) fn of(pod: &PodRuntime, request: impl Fn(&str) -> i64) -> Used {
    let mut all = Used::default();
    for container in pod.running() {
        let ContainerState::Running { pid, .. } = container.state else { continue };
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let used = folder(&groups, "memory").map_or(0, |folder| working_set(&folder));
        let requested = request(&container.name);
        all.memory.insert(container.name.clone(), Use { used, requested });
        all.processes += folder(&groups, "pids").map_or(0, |f| number(&f.join("pids.current")));
    }
    all
}

/// The folder of a group: in the controller's own hierarchy, or in the one that all share.
fn folder(groups: &str, controller: &str) -> Option<PathBuf> {
    let lines = || groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let own = lines().find(|(names, _)| names.split(',').any(|name| name == controller));
    let (base, path) = match own {
        Some((_, path)) => (Path::new(ROOT).join(controller), path),
        None => (ROOT.into(), lines().find(|(names, _)| names.is_empty())?.1),
    };
    Some(base.join(path.trim_start_matches('/')))
}

/// All memory but files that were not used lately.
fn working_set(folder: &Path) -> i64 {
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let field = |name: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse::<i64>().ok())
    };
    let inactive = field("total_inactive_file ").or_else(|| field("inactive_file ")).unwrap_or(0);
    let used =
        number(&folder.join("memory.usage_in_bytes")) + number(&folder.join("memory.current"));
    (used - inactive).max(0)
}

/// The number in a file; 0 when it isn't there.
fn number(path: &Path) -> i64 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_in_both_versions() {
        let first = "5:pids:/w/c\n4:cpu,cpuacct:/w/c\n3:memory:/w/m\n0::/\n";
        assert_eq!(folder(first, "memory"), Some("/sys/fs/cgroup/memory/w/m".into()));
        assert_eq!(folder("0::/w/c\n", "memory"), Some("/sys/fs/cgroup/w/c".into()));
        assert_eq!(folder("", "memory"), None);
    }
}
