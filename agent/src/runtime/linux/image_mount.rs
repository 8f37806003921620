//! An image's files, shown read-only on a folder of the node.

use super::state::io_error;
use crate::runtime::Result;
use nix::mount::{MntFlags, MsFlags, mount as mount_at, umount2};
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};
use std::io;
use std::path::{Path, PathBuf};

/// Shows the files of these layers, lowest first, on a folder. Nothing in them can be executed (KEP-4639). Does
/// nothing when something is mounted there.
pub(in crate::runtime) fn mount(layers: &[PathBuf], target: &Path) -> Result<()> {
    if is_mounted(target)? {
        return Ok(());
    }
    let mounted = match layers {
        // An image without files.
        [] => Ok(()),
        [one] => bind(one, target),
        many => overlay(many, target),
    };
    mounted.map_err(|error| io_error(target, error))
}

/// Takes that away. Does nothing when nothing is mounted there.
pub(in crate::runtime) fn unmount(target: &Path) -> Result<()> {
    if !is_mounted(target)? {
        return Ok(());
    }
    umount2(target, MntFlags::MNT_DETACH).map_err(|error| io_error(target, error))
}

/// Whether something is mounted on a folder. Not so when the folder is missing.
fn is_mounted(target: &Path) -> Result<bool> {
    match statx(CWD, target, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS) {
        Ok(found) => Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(rustix::io::Errno::NOENT) => Ok(false),
        Err(error) => Err(io_error(target, error)),
    }
}

fn bind(source: &Path, target: &Path) -> io::Result<()> {
    let none: Option<&str> = None;
    mount_at(Some(source), target, none, MsFlags::MS_BIND, none)?;
    let rights = MsFlags::MS_RDONLY | MsFlags::MS_NOEXEC | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | rights;
    let narrowed = mount_at(none, target, none, flags, none);
    if narrowed.is_err() {
        umount2(target, MntFlags::MNT_DETACH)?;
    }
    Ok(narrowed?)
}

fn overlay(layers: &[PathBuf], target: &Path) -> io::Result<()> {
    let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for layer in layers.iter().rev() {
        fsconfig_set_string(&fs, "lowerdir+", layer.as_path())?;
    }
    fsconfig_create(&fs)?;
    let rights = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mounted = fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, rights)?;
    Ok(move_mount(&mounted, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn layers_are_shown_as_one_and_cant_be_written() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: needs root");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let layer = |name: &str, files: &[&str]| {
            let layer = folder.path().join(name);
            fs::create_dir(&layer).expect("a folder");
            files.iter().for_each(|file| fs::write(layer.join(file), name).expect("written"));
            layer
        };
        let layers = [layer("low", &["a", "b"]), layer("high", &["b"])];
        for shown in [&layers[..], &layers[1..]] {
            let target = layer(&format!("target-{}", shown.len()), &[]);
            mount(shown, &target).expect("mounted");
            mount(shown, &target).expect("again");
            assert_eq!(fs::read_to_string(target.join("b")).expect("there"), "high");
            assert_eq!(target.join("a").exists(), shown.len() == 2);
            let refused = fs::write(target.join("c"), "").expect_err("read-only");
            assert_eq!(refused.kind(), io::ErrorKind::ReadOnlyFilesystem);
            unmount(&target).expect("unmounted");
            unmount(&target).expect("again");
            assert_eq!(fs::read_dir(&target).expect("a folder").count(), 0);
        }
        unmount(&folder.path().join("missing")).expect("nothing to do");
    }
}
