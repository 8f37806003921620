//! What a process used, from /proc.

use crate::Result;
use std::time::Duration;

/// Units of time in /proc in a second: the same on every Linux machine of today.
const TICKS: u64 = 100;

/// A process of this machine.
pub(crate) struct Process(String);

// === impl Process ===

impl Process {
    pub(crate) fn this() -> Self {
        Self("self".into())
    }

    pub(crate) fn of(pid: u32) -> Self {
        Self(pid.to_string())
    }

    /// CPU time so far, in steps of 10 ms.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The name, in parentheses, may hold spaces; user and system time are the 12th and 13th field after it.
        let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
        let mut ticks = 0;
        for field in fields.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// Memory now, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(kib.parse::<u64>()? * 1024)
    }

    fn read(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(format!("/proc/{}/{name}", self.0))?)
    }
}
