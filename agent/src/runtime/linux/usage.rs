//! What control groups use, read from the kernel.

use super::cgroup::{at_root, children, gone, is_unified, under};
use super::state::io_error;
use crate::runtime::{ContainerId, Result, SandboxId, SandboxUsage, Usage, UsageDetails};
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
    let (cpu, memory, inactive, details) = if is_unified() {
        let folder = at_root(group);
        let time = fs::read_to_string(folder.join("cpu.stat"))?;
        let cpu = field(&time, "usage_usec");
        let stat = fs::read_to_string(folder.join("memory.stat"))?;
        let memory = number(&fs::read_to_string(folder.join("memory.current"))?);
        let details = details_v2(&folder, &stat, &time);
        (Duration::from_micros(cpu), memory, field(&stat, "inactive_file"), details)
    } else {
        let memory = under("memory", group);
        let cpu = fs::read_to_string(under("cpuacct", group).join("cpuacct.usage"))?;
        let stat = fs::read_to_string(memory.join("memory.stat"))?;
        let used = number(&fs::read_to_string(memory.join("memory.usage_in_bytes"))?);
        let idle = field(&stat, "total_inactive_file");
        (Duration::from_nanos(number(&cpu)), used, idle, details_v1(group, &stat))
    };
    Ok(Usage { at, cpu, working_set: memory.saturating_sub(inactive), memory, details })
}

fn details_v2(folder: &Path, memory: &str, time: &str) -> UsageDetails {
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let io = read("io.stat");
    // `8:0 rbytes=1 wbytes=2 rios=3 wios=4`, a line for each disk.
    let sum = |name: &str| -> u64 {
        let words = io.split_whitespace().filter_map(|word| word.strip_prefix(name));
        words.map(number).sum()
    };
    UsageDetails {
        rss: field(memory, "anon"),
        cache: field(memory, "file"),
        swap: number(&read("memory.swap.current")),
        periods: field(time, "nr_periods"),
        throttled_periods: field(time, "nr_throttled"),
        throttled: Duration::from_micros(field(time, "throttled_usec")),
        reads: sum("rios="),
        writes: sum("wios="),
        read_bytes: sum("rbytes="),
        written_bytes: sum("wbytes="),
    }
}

fn details_v1(group: &Path, memory: &str) -> UsageDetails {
    let read = |controller: &str, file: &str| {
        fs::read_to_string(under(controller, group).join(file)).unwrap_or_default()
    };
    let time = read("cpu", "cpu.stat");
    let [counts, bytes] = ["io_serviced", "io_service_bytes"]
        .map(|name| read("blkio", &format!("blkio.throttle.{name}_recursive")));
    // `8:0 Read 1`, a line for each disk and way.
    let sum = |text: &str, way: &str| -> u64 {
        let lines = text.lines().filter_map(|line| line.split_once(' ')?.1.strip_prefix(way));
        lines.map(number).sum()
    };
    UsageDetails {
        rss: field(memory, "total_rss"),
        cache: field(memory, "total_cache"),
        swap: field(memory, "total_swap"),
        periods: field(&time, "nr_periods"),
        throttled_periods: field(&time, "nr_throttled"),
        throttled: Duration::from_nanos(field(&time, "throttled_time")),
        reads: sum(&counts, "Read "),
        writes: sum(&counts, "Write "),
        read_bytes: sum(&bytes, "Read "),
        written_bytes: sum(&bytes, "Write "),
    }
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
    fn what_disks_carried_is_summed_over_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let io = "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0\n8:16 rbytes=1 wbytes=2 rios=3 wios=4\n";
        fs::write(folder.path().join("io.stat"), io).expect("written");
        let time = "usage_usec 9\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7\n";
        let details = details_v2(folder.path(), "anon 3\nfile 4\n", time);
        let wanted = UsageDetails {
            rss: 3,
            cache: 4,
            swap: 0,
            periods: 5,
            throttled_periods: 2,
            throttled: Duration::from_micros(7),
            reads: 4,
            writes: 6,
            read_bytes: 11,
            written_bytes: 22,
        };
        assert_eq!(details, wanted);
    }

    #[test]
    fn a_field_is_the_whole_word() {
        let stat = "cache 7\ninactive_file 5\ntotal_inactive_file 9\n";
        assert_eq!(field(stat, "inactive_file"), 5);
        assert_eq!(field(stat, "total_inactive_file"), 9);
        assert_eq!(field(stat, "inactive"), 0);
    }
}
