//! Folders on the disk.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Makes a folder that any user in a container may write to; in its parent nobody else has a look. May be called again.
pub(super) async fn make(path: PathBuf) -> io::Result<()> {
    blocking(move || {
        if let Some(parent) = path.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o711).create(parent)?;
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o777).create(&path)?;
        // The process's umask has taken some of it away.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777))
    })
    .await
}

/// Removes a folder with all that is in it; follows no links. That it is gone already is no error.
pub(super) async fn remove(path: PathBuf) -> io::Result<()> {
    blocking(move || match std::fs::remove_dir_all(Path::new(&path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    })
    .await
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
