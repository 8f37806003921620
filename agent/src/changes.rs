//! What happens in a folder, as the kernel tells it (inotify).

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::io;
use std::path::Path;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use windlass_core::workqueue::Backoff;

/// Tells that something happened to the files of a folder.
pub(crate) struct Changes(Receiver);

impl Changes {
    /// Something comes or goes, the folder too.
    pub(crate) const NAMES: WatchFlags = WatchFlags::CREATE
        .union(WatchFlags::DELETE)
        .union(WatchFlags::MOVE)
        .union(WatchFlags::DELETE_SELF)
        .union(WatchFlags::MOVE_SELF)
        .union(WatchFlags::ONLYDIR);

    /// Listens from now on. Needs a tokio runtime.
    pub(crate) fn of(folder: &Path, what: WatchFlags) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        inotify::add_watch(&queue, folder, what)?;
        // No pipe, but read and waited for as one.
        Receiver::from_owned_fd_unchecked(queue).map(Self)
    }

    /// Returns when something has happened since the last time; what comes together is told as one. Safe to cancel.
    pub(crate) async fn wait(&mut self) -> io::Result<()> {
        let mut events = [0; 4096];
        self.0.read(&mut events).await.map(drop)
    }
}

/// What is done again and again, also after it failed.
pub(crate) struct Persistence {
    trouble: String,
    again: Backoff,
    failures: u32,
}

// === impl Persistence ===

impl Persistence {
    /// `trouble` stands in the log after each failure.
    pub(crate) fn new(trouble: String, again: Backoff) -> Self {
        Self { trouble, again, failures: 0 }
    }

    /// Goes on at once after what worked; waits after what failed, longer each time.
    pub(crate) async fn after(&mut self, done: io::Result<()>) {
        match done {
            Ok(()) => self.failures = 0,
            Err(error) => {
                tracing::error!(%error, "{}, will retry", self.trouble);
                tokio::time::sleep(self.again.wait(self.failures)).await;
                self.failures += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn a_change_is_told() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("folder");
        fs::create_dir(&folder).expect("made");
        let mut changes = Changes::of(&folder, Changes::NAMES).expect("a watch");
        fs::write(folder.join("file"), "").expect("a file");
        changes.wait().await.expect("it came");
        fs::remove_file(folder.join("file")).expect("it is there");
        changes.wait().await.expect("it went");
        fs::rename(&folder, outer.path().join("other")).expect("renamed");
        changes.wait().await.expect("the folder went");
    }
}
