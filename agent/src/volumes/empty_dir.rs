//! emptyDir: a folder that lives as long as the pod.

use super::{Made, Setup, VolumeError, VolumePlugin, at, blocking, mounts, ownership};
use async_trait::async_trait;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use windlass_core::apis::core::v1::Volume;
use windlass_core::meta::Quantity;

pub(super) struct EmptyDir;

#[async_trait]
impl VolumePlugin for EmptyDir {
    fn claims(&self, volume: &Volume) -> bool {
        volume.empty_dir.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        let source = setup.volume.empty_dir.clone().unwrap_or_default();
        let dir = setup.dir("empty-dir");
        let path = dir.clone();
        let in_memory =
            source.medium.as_deref() == Some("Memory") && setup.host.config.mount_filesystems;
        let limit = source.size_limit.and_then(|limit| limit.0.parse::<Quantity>().ok());
        let group = ownership::fs_group(setup.pod);
        blocking(move || {
            if in_memory {
                let size = limit.map(Quantity::units).filter(|size| *size > 0);
                return mounts::tmpfs(&dir, size, group);
            }
            make(&dir, group)
        })
        .await?;
        Ok(Made { path, ..Made::default() })
    }
}

/// Makes the folder, whole or not at all. One that is there is the pod's: what it made of it stays.
fn make(dir: &Path, group: Option<u32>) -> Result<(), VolumeError> {
    if dir.exists() {
        return Ok(());
    }
    let fresh = dir.with_extension("new");
    mounts::make_dir(&fresh)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o777)).map_err(at(&fresh))?;
    if let Some(group) = group {
        ownership::give(&fresh, group, true)?;
    }
    fs::rename(&fresh, dir).map_err(at(dir))
}
