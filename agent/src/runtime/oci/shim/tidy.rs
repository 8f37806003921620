//! Cleans up after libcontainer: when a further program can't be started it leaves descriptors open
//! and children unwaited for, and a process namespace can't end while one of its processes is a zombie.

use rustix::process::{Pid, WaitOptions, waitpid};
use std::collections::BTreeSet;
use std::io;

/// What there was before.
pub(super) struct Before {
    descriptors: BTreeSet<i32>,
    children: BTreeSet<i32>,
}

// === impl Before ===

impl Before {
    pub(super) fn now() -> io::Result<Self> {
        Ok(Self { descriptors: descriptors()?, children: children()? })
    }

    /// Closes and reaps what has come since. Only for when nothing of it is in use.
    pub(super) fn restore(&self) -> io::Result<()> {
        for raw in children()?.difference(&self.children) {
            let Some(pid) = Pid::from_raw(*raw) else { continue };
            while let Err(rustix::io::Errno::INTR) = waitpid(Some(pid), WaitOptions::empty()) {}
        }
        for fd in descriptors()?.difference(&self.descriptors) {
            // The descriptor that listed the others is among them, and closed by now.
            match nix::unistd::close(*fd) {
                Ok(()) | Err(nix::errno::Errno::EBADF) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }
}

fn descriptors() -> io::Result<BTreeSet<i32>> {
    let mut all = BTreeSet::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        all.extend(entry?.file_name().to_str().and_then(|n| n.parse::<i32>().ok()));
    }
    Ok(all)
}

fn children() -> io::Result<BTreeSet<i32>> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id()))?;
    Ok(text.split_whitespace().filter_map(|p| p.parse().ok()).collect())
}
