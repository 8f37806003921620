//! The folder is shared between processes: a cluster has it open while `windlass image import` adds to it.
//!
//! Three locks (`flock`, let go of by the kernel when a process ends): `owner` is held by the one process that
//! removes what nobody needs, `adding` by all that add layers no image names yet, `writing` by who changes the index.

use super::io_error;
use crate::runtime::Result;
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) struct Shared {
    root: PathBuf,
    owner: File,
}

/// Held until it is dropped.
pub(super) struct Guard {
    _file: File,
}

/// Tells one index from the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(u64, i64, i64, u64);

impl Shared {
    pub(super) fn open(root: &Path) -> Result<Self> {
        Ok(Self { owner: create(&root.join("owner.lock"))?, root: root.to_owned() })
    }

    /// Whether this process may remove things; the first to ask is the one, until it ends.
    pub(super) fn is_owner(&self) -> bool {
        flock(&self.owner, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// While layers are added that no image names yet.
    pub(super) fn adding(&self) -> Result<Guard> {
        self.lock("adding.lock", FlockOperation::LockShared)
    }

    /// When nobody adds anything.
    pub(super) fn nobody_adds(&self) -> Option<Guard> {
        self.lock("adding.lock", FlockOperation::NonBlockingLockExclusive).ok()
    }

    /// While the index is read, changed and written.
    pub(super) fn writing(&self) -> Result<Guard> {
        self.lock("writing.lock", FlockOperation::LockExclusive)
    }

    fn lock(&self, name: &str, how: FlockOperation) -> Result<Guard> {
        let path = self.root.join(name);
        let file = create(&path)?;
        flock(&file, how).map_err(|errno| io_error(&path, errno))?;
        Ok(Guard { _file: file })
    }
}

impl Stamp {
    /// Of a file; the same for all that are not there.
    pub(super) fn of(path: &Path) -> Self {
        let stamp =
            |meta: std::fs::Metadata| Self(meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len());
        path.metadata().map(stamp).unwrap_or_default()
    }
}

fn create(path: &Path) -> Result<File> {
    let open = File::options().create(true).truncate(false).write(true).open(path);
    open.map_err(|error| io_error(path, error))
}
