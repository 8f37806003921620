//! A container's root file system: its image's layers below a folder of its own.

use crate::images::layer::copy_merged;
use crate::images::resolve::{Missing, resolve_in};
use crate::runtime::Result;
use crate::runtime::oci::state::{io_error, make_folder, remove};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};

/// The options of the overlay that the container mounts on its root, in its own mount namespace:
/// so nothing is left mounted, however it ends.
pub(super) fn overlay_options(folder: &Path, layers: &[PathBuf]) -> Vec<String> {
    let lower = layers.iter().rev().map(|l| format!("lowerdir+={}", l.display()));
    let own = ["upper", "work"].map(|n| format!("{n}dir={}", folder.join(n).display()));
    lower.chain(own).collect()
}

/// Makes the folders of a container's root: those of an overlay, or a copy of the image.
pub(super) fn prepare(folder: &Path, layers: &[PathBuf], cwd: &Path, overlay: bool) -> Result<()> {
    let root = folder.join("rootfs");
    make_folder(&root)?;
    if overlay {
        make_folder(&folder.join("upper"))?;
        make_folder(&folder.join("work"))?;
        let made = imitate_root(layers, &folder.join("upper"))
            .and_then(|()| make_cwd(layers, &folder.join("upper"), cwd));
        return made.map_err(|e| io_error(folder, e));
    }
    copy_merged(layers, &root)
        .and_then(|()| resolve_in(&root, cwd, Missing::Create).map(|_| ()))
        .map_err(|e| io_error(&root, e))
}

/// Whether overlayfs can be mounted with its upper folder in `scratch`.
pub(super) fn overlay_works(scratch: &Path) -> bool {
    let attempt = || -> Result<()> {
        let at = |n: &str| scratch.join(n);
        for name in ["lower", "upper", "work", "merged"] {
            make_folder(&at(name))?;
        }
        let tried = std::thread::scope(|scope| scope.spawn(|| try_overlay(&at)).join());
        for name in ["lower", "upper", "work", "merged"] {
            remove(&at(name))?;
        }
        let tried = tried.unwrap_or_else(|_| Err(io::Error::other("a thread failed")));
        tried.map_err(|e| io_error(scratch, e))
    };
    match attempt() {
        Ok(()) => true,
        Err(e) => {
            tracing::info!(error = %e, "overlayfs can't be used");
            false
        }
    }
}

fn try_overlay(at: &dyn Fn(&str) -> PathBuf) -> io::Result<()> {
    use rustix::mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
        fsopen,
    };
    // A mount namespace of its own: the mount goes with the thread. `lowerdir+` needs Linux 6.7.
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let fs = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&fs, "lowerdir+", at("lower"))?;
    fsconfig_set_string(&fs, "upperdir", at("upper"))?;
    fsconfig_set_string(&fs, "workdir", at("work"))?;
    fsconfig_create(&fs)?;
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    Ok(())
}

/// The root folder of an overlay is the upper one: it needs the mode and owner of the image's.
fn imitate_root(layers: &[PathBuf], upper: &Path) -> io::Result<()> {
    match layers.last() {
        Some(top) => imitate(&fs::metadata(top)?, upper),
        None => fs::set_permissions(upper, fs::Permissions::from_mode(0o755)),
    }
}

/// Makes the working directory when the image lacks it, as other runtimes do.
fn make_cwd(layers: &[PathBuf], upper: &Path, cwd: &Path) -> io::Result<()> {
    let mut path = PathBuf::new();
    let mut missing = false;
    let mut chain = Vec::new();
    for part in cwd.components().filter(|c| matches!(c, Component::Normal(_))) {
        path.push(part);
        let meta = layers.iter().rev().find_map(|l| fs::symlink_metadata(l.join(&path)).ok());
        match meta {
            Some(meta) if !meta.is_dir() => return Ok(()),
            meta => {
                missing |= meta.is_none();
                chain.push((path.clone(), meta));
            }
        }
    }
    if !missing {
        return Ok(());
    }
    for (path, meta) in chain {
        let dest = upper.join(path);
        fs::create_dir_all(&dest)?;
        match meta {
            Some(meta) => imitate(&meta, &dest)?,
            None => fs::set_permissions(&dest, fs::Permissions::from_mode(0o755))?,
        }
    }
    Ok(())
}

fn imitate(meta: &fs::Metadata, dest: &Path) -> io::Result<()> {
    chown(dest, Some(meta.uid()), Some(meta.gid()))?;
    fs::set_permissions(dest, fs::Permissions::from_mode(meta.mode() & 0o7777))
}
