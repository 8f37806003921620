//! What control groups use, read from the kernel.

use super::cgroup::{at_root, children, gone, is_unified, under};
use super::state::io_error;
use crate::runtime::{ContainerId, Result, SandboxId, SandboxUsage, Usage};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;
use windlass_core::clock::Clock;

/// A container's group has its id as name.
const ID: usize = 64;

/// What the pod with this group uses; none when the group is gone.
pub(super) fn of_pod(
    group: &Path,
    id: SandboxId,
    clock: &dyn Clock,
) -> Result<Option<SandboxUsage>> {
    let failed = |error| io_error(group, error);
    let folder = if is_unified() { at_root(group) } else { under("memory", group) };
    let mut containers = std::collections::BTreeMap::new();
    for child in children(&folder).map_err(failed)? {
        let name = child.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.len() != ID {
            continue;
        }
        if let Some(usage) = of_group(&group.join(&name), clock).map_err(failed)? {
            containers.insert(ContainerId(name), usage);
        }
    }
    // Read last: a pod uses at least what its containers do.
    let pod = of_group(group, clock).map_err(failed)?;
    Ok(pod.map(|pod| SandboxUsage { id, pod, processes: processes(group), containers }))
}

/// Where nobody counts them there are none.
fn processes(group: &Path) -> u64 {
    let folder = if is_unified() { at_root(group) } else { under("pids", group) };
    fs::read_to_string(folder.join("pids.current")).map_or(0, |text| number(&text))
}

fn of_group(group: &Path, clock: &dyn Clock) -> io::Result<Option<Usage>> {
    match read(group, clock) {
        Ok(usage) => Ok(Some(usage)),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(group: &Path, clock: &dyn Clock) -> io::Result<Usage> {
    let at = clock.now().into();
    let (cpu, memory, inactive) = if is_unified() {
        let folder = at_root(group);
        let cpu = field(&fs::read_to_string(folder.join("cpu.stat"))?, "usage_usec");
        let stat = fs::read_to_string(folder.join("memory.stat"))?;
        let memory = number(&fs::read_to_string(folder.join("memory.current"))?);
        (Duration::from_micros(cpu), memory, field(&stat, "inactive_file"))
    } else {
        let memory = under("memory", group);
        let cpu = fs::read_to_string(under("cpuacct", group).join("cpuacct.usage"))?;
        let stat = fs::read_to_string(memory.join("memory.stat"))?;
        let used = number(&fs::read_to_string(memory.join("memory.usage_in_bytes"))?);
        (Duration::from_nanos(number(&cpu)), used, field(&stat, "total_inactive_file"))
    };
    Ok(Usage { at, cpu, working_set: memory.saturating_sub(inactive), memory })
}

/// The number behind a word at the beginning of a line.
fn field(text: &str, name: &str) -> u64 {
    let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    values.next().map_or(0, number)
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_whole_word() {
        let stat = "cache 7\ninactive_file 5\ntotal_inactive_file 9\n";
        assert_eq!(field(stat, "inactive_file"), 5);
        assert_eq!(field(stat, "total_inactive_file"), 9);
        assert_eq!(field(stat, "inactive"), 0);
    }
}
