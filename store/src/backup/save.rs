//! A copy in a file.

use super::Snapshot;
use crate::{Backend, Error, Result, Revision};
use rustix::fs::FlockOperation;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

/// How often a copy is begun again because its revision was compacted.
const ATTEMPTS: usize = 5;

/// What was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The revision of all that is in it.
    pub revision: Revision,
    /// Length of the file.
    pub bytes: u64,
}

/// Copies a store into a file while it runs. The file has its name when it is whole and durable, and takes
/// the place of one that had it before; until then the name ends with `.tmp`. Only its owner may read it. When
/// the revision is compacted meanwhile, it begins again at a newer one.
///
/// # Errors
/// [`Error::Io`], [`Error::Locked`] when somebody saves to the same file, [`Error::Compacted`] when that
/// came in between five times; errors of the store. The file is as it was before.
pub async fn save(store: &(dyn Backend + 'static), path: &Path) -> Result<Saved> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let unfinished = Unfinished::create(PathBuf::from(name)).await?;
    let saved = write(store, &unfinished, path).await;
    if saved.is_err()
        && let Err(error) = tokio::fs::remove_file(&unfinished.path).await
    {
        tracing::warn!(path = %unfinished.path.display(), %error, "an unfinished copy is left");
    }
    saved
}

async fn write(store: &(dyn Backend + 'static), to: &Unfinished, path: &Path) -> Result<Saved> {
    let mut attempt = 1;
    let saved = loop {
        match to.write(Snapshot::begin(store).await?).await {
            Err(Error::Compacted { .. }) if attempt < ATTEMPTS => attempt += 1,
            result => break result?,
        }
    };
    tokio::fs::rename(&to.path, path).await.map_err(failed("rename to", path))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let dir = File::open(parent).await.map_err(failed("open", parent))?;
    dir.sync_all().await.map_err(failed("sync", parent))?;
    Ok(saved)
}

fn failed(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let context = format!("{what} {}", path.display());
    move |source| Error::Io { context, source }
}

/// A file that nobody else writes.
struct Unfinished {
    file: File,
    path: PathBuf,
}

// === impl Unfinished ===

impl Unfinished {
    async fn create(path: PathBuf) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).await.map_err(failed("create", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::Locked(path.display().to_string()));
            }
            Err(errno) => return Err(failed("lock", &path)(errno.into())),
        }
        // One that was left may have had other rights.
        let owner_only = std::fs::Permissions::from_mode(0o600);
        file.set_permissions(owner_only).await.map_err(failed("protect", &path))?;
        Ok(Self { file, path })
    }

    /// Writes all of a copy, from the start.
    async fn write(&self, mut copy: Snapshot<&(dyn Backend + 'static)>) -> Result<Saved> {
        let mut file = self.file.try_clone().await.map_err(failed("open", &self.path))?;
        let written = || failed("write", &self.path);
        file.set_len(0).await.map_err(written())?;
        tokio::io::AsyncSeekExt::rewind(&mut file).await.map_err(written())?;
        let mut bytes = 0;
        while let Some(piece) = copy.next_piece().await? {
            file.write_all(&piece).await.map_err(written())?;
            bytes += piece.len() as u64;
        }
        file.flush().await.map_err(written())?;
        file.sync_all().await.map_err(failed("sync", &self.path))?;
        Ok(Saved { revision: copy.revision(), bytes })
    }
}
