//! `fsGroup`: who owns what is in a volume.

use super::{VolumeError, at};
use crate::pod::PodExt;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use windlass_core::apis::core::v1::Pod;

/// The group that owns the pod's volumes.
pub(super) fn fs_group(pod: &Pod) -> Option<u32> {
    let group = pod.pod_spec().security_context.as_ref()?.fs_group?;
    u32::try_from(group).ok()
}

/// Gives a tree to a group, which may read and, if `write`, write it. New files in it are the group's too.
pub(super) fn give(path: &Path, group: u32, write: bool) -> Result<(), VolumeError> {
    let meta = fs::symlink_metadata(path).map_err(at(path))?;
    if meta.is_symlink() {
        return Ok(());
    }
    if meta.gid() != group {
        chown(path, None, Some(group)).map_err(at(path))?;
    }
    let mut add = if write { 0o660 } else { 0o440 };
    if meta.is_dir() {
        add |= 0o2110;
        for entry in fs::read_dir(path).map_err(at(path))? {
            give(&entry.map_err(at(path))?.path(), group, write)?;
        }
    }
    let mode = meta.mode() & 0o7777;
    if mode | add != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode | add)).map_err(at(path))?;
    }
    Ok(())
}
