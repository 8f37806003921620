//! What a process used, from /proc.

use crate::Result;
use std::time::Duration;

/// Units of time in /proc in a second: the same on every Linux machine of today.
const TICKS: u64 = 100;

/// A process of this machine.
#[derive(Clone)]
pub struct Process(String);

// === impl Process ===

impl Process {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        Self("self".into())
    }

    /// The one with this number.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self(pid.to_string())
    }

    /// CPU time so far, in steps of 10 ms.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn cpu(&self) -> Result<Duration> {
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
    ///
    /// # Errors
    /// When there is no such process.
    pub fn resident(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// The most memory since the start or [`Process::forget_peak`], in bytes.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn peak(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    /// From now on the peak is counted anew.
    ///
    /// # Errors
    /// When the process belongs to another user.
    pub fn forget_peak(&self) -> Result<()> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.0), "5")?)
    }

    fn status(&self, name: &str) -> Result<u64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.split_whitespace().next());
        Ok(kib.ok_or_else(|| format!("no {name}"))?.parse::<u64>()? * 1024)
    }

    fn read(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(format!("/proc/{}/{name}", self.0))?)
    }
}
