//! Folders and mounts of the agent's own.

use super::{VolumeError, at};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Makes a folder with all that lead to it.
pub(super) fn make_dir(dir: &Path) -> Result<(), VolumeError> {
    fs::create_dir_all(dir).map_err(at(dir))
}

/// Mounts a file system in memory, which a group may own, unless one is there.
pub(super) fn tmpfs(dir: &Path, size: Option<i64>, group: Option<u32>) -> Result<(), VolumeError> {
    make_dir(dir)?;
    if is_mount_point(dir)? {
        return Ok(());
    }
    let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
    let options = match group {
        Some(group) => format!("mode=02777,gid={group}{size}"),
        None => format!("mode=0777{size}"),
    };
    mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
        .map_err(|e| at(dir)(e.into()))?;
    Ok(())
}

/// Whether something is mounted on a folder.
pub(super) fn is_mount_point(dir: &Path) -> Result<bool, VolumeError> {
    let Some(parent) = dir.parent() else { return Ok(true) };
    let device = |path: &Path| fs::symlink_metadata(path).map(|meta| meta.dev()).map_err(at(path));
    Ok(device(dir)? != device(parent)?)
}

/// Shows a file or folder at another place too.
pub(super) fn bind(source: &Path, target: &Path) -> Result<(), VolumeError> {
    let none: Option<&str> = None;
    mount(Some(source), target, none, MsFlags::MS_BIND, none).map_err(|e| at(target)(e.into()))
}

/// Takes a folder away, and first all that is mounted in it.
pub(super) fn remove_tree(dir: &Path) -> Result<(), VolumeError> {
    // The table names real, absolute paths; what is not found in it would be deleted through its mount.
    let real = match fs::canonicalize(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        real => real.map_err(at(dir))?,
    };
    let table = fs::read_to_string("/proc/self/mountinfo")
        .map_err(at(Path::new("/proc/self/mountinfo")))?;
    // The last mounted comes off first.
    for point in mount_points(&table, &real).into_iter().rev() {
        umount2(Path::new(&point), MntFlags::MNT_DETACH)
            .map_err(|e| at(Path::new(&point))(e.into()))?;
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(dir)(error)),
        _ => Ok(()),
    }
}

/// The mount points under a folder, in the order they were mounted.
pub(crate) fn mount_points(table: &str, dir: &Path) -> Vec<String> {
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    points.filter(|point| Path::new(point).starts_with(dir)).collect()
}

/// The kernel writes space, tab, newline and backslash as `\040` and so on.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The names in a folder; none when it is missing.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, VolumeError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at(dir))?,
    };
    entries
        .map(|entry| Ok(entry.map_err(at(dir))?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Takes away a file or folder on which something may be mounted.
pub(super) fn remove_tree_or_file(path: &Path) -> Result<(), VolumeError> {
    let meta = fs::symlink_metadata(path).map_err(at(path))?;
    if meta.is_dir() {
        return remove_tree(path);
    }
    match umount2(path, MntFlags::MNT_DETACH) {
        // Nothing was mounted.
        Ok(()) | Err(nix::errno::Errno::EINVAL) => {}
        Err(error) => return Err(at(path)(error.into())),
    }
    fs::remove_file(path).map_err(at(path))
}
