//! hostPath: a place of the node.

use super::{Made, Setup, VolumeError, VolumePlugin, at, blocking};
use async_trait::async_trait;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use windlass_core::apis::core::v1::Volume;

pub(super) struct HostPath;

#[async_trait]
impl VolumePlugin for HostPath {
    fn claims(&self, volume: &Volume) -> bool {
        volume.host_path.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        let source = setup.volume.host_path.clone().unwrap_or_default();
        let kind = source.type_.unwrap_or_default();
        make(PathBuf::from(source.path), kind).await
    }
}

/// A place of the node, if it is of the kind it is said to be.
pub(super) async fn make(path: PathBuf, kind: String) -> Result<Made, VolumeError> {
    let place = path.clone();
    blocking(move || check(&place, &kind)).await?;
    Ok(Made { path, ..Made::default() })
}

fn check(path: &Path, kind: &str) -> Result<(), VolumeError> {
    let missing = fs::metadata(path).is_err();
    match kind {
        "DirectoryOrCreate" | "" if missing => {
            let mut builder = fs::DirBuilder::new();
            return builder.recursive(true).mode(0o755).create(path).map_err(at(path));
        }
        "FileOrCreate" if missing => {
            let mut options = fs::OpenOptions::new();
            return options
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .open(path)
                .map(drop)
                .map_err(at(path));
        }
        _ => {}
    }
    let found = fs::metadata(path).ok().map(|meta| meta.file_type());
    let (fits, what) = match kind {
        "Directory" | "DirectoryOrCreate" => (found.is_some_and(|f| f.is_dir()), "a directory"),
        "File" | "FileOrCreate" => (found.is_some_and(|f| f.is_file()), "a file"),
        "Socket" => (found.is_some_and(|f| f.is_socket()), "a socket file"),
        "CharDevice" => (found.is_some_and(|f| f.is_char_device()), "a character device"),
        "BlockDevice" => (found.is_some_and(|f| f.is_block_device()), "a block device"),
        _ => (true, ""),
    };
    if fits {
        return Ok(());
    }
    let path = path.display();
    Err(VolumeError::Unmet(format!("hostPath type check failed: {path} is not {what}")))
}
