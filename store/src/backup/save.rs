//! A copy in a file.

use super::Snapshot;
use crate::{Backend, Error, Result, Revision};
use rustix::fs::{FlockOperation, OFlags};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
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

/// Whether a path leads to this very file.
async fn has_name(file: &File, path: &Path) -> Result<bool> {
    let opened = file.metadata().await.map_err(failed("stat", path))?;
    match tokio::fs::symlink_metadata(path).await {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("stat", path)(error)),
    }
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
        // Nobody sends what is written somewhere else.
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&path).await.map_err(failed("create", &path))?;
        Self::take(file, path).await
    }

    /// The file, if it is nobody else's and still has its name.
    async fn take(file: File, path: PathBuf) -> Result<Self> {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::Locked(path.display().to_string()));
            }
            Err(errno) => return Err(failed("lock", &path)(errno.into())),
        }
        if !has_name(&file, &path).await? {
            // Somebody saved to it, and it is his copy now.
            return Err(Error::Locked(path.display().to_string()));
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn opened(path: &Path) -> File {
        OpenOptions::new().write(true).create(true).truncate(false).open(path).await.unwrap()
    }

    /// Somebody opens the unfinished file of another, who then finishes it.
    #[tokio::test]
    async fn a_copy_that_was_finished_meanwhile_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (unfinished, copy) = (dir.path().join("copy.tmp"), dir.path().join("copy"));
        let late = opened(&unfinished).await;
        std::fs::rename(&unfinished, &copy).unwrap();
        let refused = Unfinished::take(late, unfinished.clone()).await.err();
        assert!(matches!(refused, Some(Error::Locked(_))), "{refused:?}");
        let mine = opened(&unfinished).await;
        assert!(Unfinished::take(mine, unfinished).await.is_ok());
    }

    #[tokio::test]
    async fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (unfinished, victim) = (dir.path().join("copy.tmp"), dir.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &unfinished).unwrap();
        let refused = save(&crate::Memory::new(), &dir.path().join("copy")).await;
        assert!(matches!(refused, Err(Error::Io { .. })), "{refused:?}");
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }
}
