//! The process as Linux shows it (proc(5)), under the names that Prometheus' clients use.

use super::scrape::Shown;
use std::fs;

/// Ticks a second in `/proc`: the same on every Linux that there is (`USER_HZ`).
const TICKS: f64 = 100.0;
const PAGE: f64 = 4096.0;

/// Shows what can be read; elsewhere than on Linux that is nothing.
pub(super) fn show(shown: &mut Shown) {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else { return };
    // The name may hold anything, parentheses too: the numbers come after the last one.
    let numbers = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let numbers: Vec<f64> = numbers.split(' ').skip(2).map(|n| n.parse().unwrap_or(0.0)).collect();
    let field = |number: usize| numbers.get(number - 4).copied().unwrap_or_default();
    shown.counter("process_cpu_seconds", "Time on processors", (field(14) + field(15)) / TICKS);
    shown.gauge("process_virtual_memory_bytes", "Address space in use", field(23));
    shown.gauge("process_resident_memory_bytes", "Memory in use", field(24) * PAGE);
    if let Some(boot) = boot_time() {
        let start = boot + field(22) / TICKS;
        shown.gauge("process_start_time_seconds", "When it began, in Unix time", start);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // Reading them takes one.
        let open = open.count().saturating_sub(1);
        shown.gauge("process_open_fds", "Open files", open as f64);
    }
    if let Some(most) = most_files() {
        shown.gauge("process_max_fds", "Files that it may open", most);
    }
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn most_files() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
