//! Changes of a folder, told by the kernel (inotify).

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::fs;
use std::io;
use std::path::Path;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// Watches one folder.
pub(super) struct FolderWatch(Receiver);

// === impl FolderWatch ===

impl FolderWatch {
    /// Begins, with a folder that is made when it is missing. What happens from now on is told.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let what = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&queue, folder, what)?;
        // No pipe, but read and waited for as one.
        Receiver::from_owned_fd_unchecked(queue).map(Self)
    }

    /// Returns when something came or went since the last time. Changes that come together are told as one.
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        let mut events = [0; 4096];
        self.0.read(&mut events).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("made/too");
        let mut watch = FolderWatch::open(&inner).expect("a watch");
        fs::write(inner.join("file"), "").expect("a file");
        watch.changed().await.expect("it came");
        fs::remove_file(inner.join("file")).expect("it is there");
        watch.changed().await.expect("it went");
    }
}
