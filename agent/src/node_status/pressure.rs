//! Whether the node runs short of something ("Node-pressure Eviction", default thresholds).

use super::machine::{memory, nearest};
use std::path::Path;

/// Less free memory than this is pressure.
const LEAST_MEMORY: i64 = 100 * 1024 * 1024;
/// Less free disk than this part is pressure, if it is little in itself too: a tenth of a large disk is plenty.
const LEAST_DISK: f64 = 0.10;
const LITTLE_DISK: u64 = 10 << 30;
/// Fewer free inodes than this part is pressure.
const LEAST_INODES: f64 = 0.05;

/// What the node runs short of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pressure {
    pub(super) memory: bool,
    pub(super) disk: bool,
    pub(super) pid: bool,
}

/// Looks. What can't be seen is no pressure.
pub(super) fn read(root: &Path) -> Pressure {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = memory(&text, "MemAvailable:");
    let disk = nearest(root).and_then(|path| rustix::fs::statvfs(path).ok());
    let part = |free: u64, all: u64| all > 0 && (free as f64) < (all as f64);
    let short =
        |free: u64, all: u64, least: f64| part(free, all) && (free as f64 / all as f64) < least;
    Pressure {
        memory: free.is_some_and(|free| free < LEAST_MEMORY),
        disk: disk.is_some_and(|d| {
            // Of what can be used at all: some blocks are kept back by the file system.
            let usable = d.f_blocks.saturating_sub(d.f_bfree).saturating_add(d.f_bavail);
            let little = d.f_bavail.saturating_mul(d.f_frsize) < LITTLE_DISK;
            little && short(d.f_bavail, usable, LEAST_DISK)
                || short(d.f_favail, d.f_files, LEAST_INODES)
        }),
        pid: false,
    }
}
