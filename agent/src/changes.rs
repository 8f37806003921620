//! What happens in a folder, as the kernel tells it.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::io::unix::AsyncFd;

/// Tells that something happened to the files of a folder.
pub(crate) struct Changes(AsyncFd<OwnedFd>);

impl Changes {
    /// Listens from now on. Needs a tokio runtime.
    pub(crate) fn of(folder: &Path, what: WatchFlags) -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        inotify::add_watch(&fd, folder, what)?;
        #[allow(
            deprecated,
            reason = "its replacement is unsafe; an OwnedFd always names its own file"
        )]
        Ok(Self(AsyncFd::new(fd)?))
    }

    /// Returns when something has happened since the last time. Safe to cancel.
    pub(crate) async fn wait(&mut self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        // Only that something happened counts: events are read to be rid of them.
        let mut buffer = [0; 4096];
        while rustix::io::read(ready.get_inner(), &mut buffer).is_ok_and(|read| read > 0) {}
        ready.clear_ready();
        Ok(())
    }
}
