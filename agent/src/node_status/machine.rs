//! What this machine is.

use crate::config::{Machine, go_architecture};
use rustix::system::uname;
use std::path::Path;

impl Machine {
    /// Looks at this machine. `root` is the folder whose disk pods use.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let text = |path: &str| {
            std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_else(
                |error| {
                    tracing::debug!(path, %error, "a fact about this machine is not there");
                    String::new()
                },
            )
        };
        let disk = nearest(root).and_then(|path| rustix::fs::statvfs(path).ok());
        let disk = disk.map_or(0, |s| s.f_blocks.saturating_mul(s.f_frsize));
        Self {
            milli_cpu: i64::try_from(cores).unwrap_or(1) * 1000,
            memory: memory(&text("/proc/meminfo"), "MemTotal:").unwrap_or(0),
            ephemeral_storage: i64::try_from(disk).unwrap_or(i64::MAX),
            machine_id: text("/etc/machine-id"),
            system_uuid: text("/sys/class/dmi/id/product_uuid"),
            boot_id: text("/proc/sys/kernel/random/boot_id"),
            kernel_version: uname().release().to_string_lossy().into_owned(),
            os_image: os_image(&text("/etc/os-release")),
            architecture: go_architecture().into(),
        }
    }
}

/// The folder itself, or the first above it that exists.
pub(crate) fn nearest(path: &Path) -> Option<&Path> {
    path.ancestors().find(|path| path.exists())
}

/// A line of `/proc/meminfo` in bytes.
pub(crate) fn memory(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok().map(|kib| kib * 1024)
}

fn os_image(text: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    line.unwrap_or("Linux").trim_matches('"').to_owned()
}
