//! What the whole machine uses.

use crate::node_status::memory;
use crate::runtime::{Usage, UsageDetails};
use std::time::{Duration, SystemTime};

/// The kernel counts processor time for programs in these.
const TICKS_PER_SECOND: u64 = 100;

/// Looks; none when the kernel does not tell.
pub(super) fn read(at: SystemTime) -> Option<Usage> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    parse(at, &stat, &meminfo)
}

fn parse(at: SystemTime, stat: &str, meminfo: &str) -> Option<Usage> {
    let ticks = busy(stat)?;
    let bytes = |name: &str| memory(meminfo, name).and_then(|bytes| u64::try_from(bytes).ok());
    let used = bytes("MemTotal:")?.saturating_sub(bytes("MemFree:")?);
    let cache = bytes("Cached:").unwrap_or(0);
    let details = UsageDetails { cache, ..UsageDetails::default() };
    let idle_files = bytes("Inactive(file):").unwrap_or(0);
    Some(Usage {
        at,
        cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
        working_set: used.saturating_sub(idle_files),
        memory: used,
        details: UsageDetails { rss: bytes("AnonPages:").unwrap_or(0), ..details },
    })
}

/// Ticks in which processors did anything: all but idle and waiting for disks. Guests are counted as users already.
fn busy(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|n| n.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, rest @ ..] = ticks.as_slice() else {
        return None;
    };
    Some(user + nice + system + irq + softirq + rest.first().unwrap_or(&0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_waits_uses_nothing() {
        let stat = "cpu  100 20 30 9000 900 1 2 7 50 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        let meminfo = "MemTotal: 1000 kB\nMemFree: 300 kB\nInactive(file): 200 kB\n";
        let usage = parse(SystemTime::UNIX_EPOCH, stat, meminfo).expect("both are there");
        assert_eq!(usage.cpu, Duration::from_millis(1600));
        assert_eq!((usage.working_set, usage.memory), (500 * 1024, 700 * 1024));
        assert!(parse(SystemTime::UNIX_EPOCH, "intr 1\n", meminfo).is_none());
    }
}
