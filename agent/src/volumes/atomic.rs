//! Writes the files of a volume so that a reader sees all of the old ones or all of the new ones, in the
//! layout that programs rely on: `..data` links to a folder with the files, the visible names link through it.

use super::payload::{File, Payload};
use super::{VolumeError, at, mounts, ownership};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

const DATA: &str = "..data";

/// Brings the volume in `dir` to `payload`; does nothing when it is there already. `fresh` names the new folder.
pub(super) fn write(
    dir: &Path,
    fresh: &str,
    payload: &Payload,
    group: Option<u32>,
) -> Result<(), VolumeError> {
    mounts::make_dir(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).map_err(at(dir))?;
    let old = current(dir)?;
    if let Some(old) = &old
        && holds(&dir.join(old), payload)?
    {
        // An earlier agent may have ended before it had shown all.
        return show(dir, payload);
    }
    let folder = dir.join(fresh);
    fs::create_dir(&folder).map_err(at(&folder))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(at(&folder))?;
    for (path, file) in &payload.files {
        write_file(&folder.join(path), file)?;
    }
    if let Some(group) = group {
        ownership::give(&folder, group, false)?;
    }
    let link = dir.join("..data_tmp");
    remove_file(&link)?;
    symlink(fresh, &link).map_err(at(&link))?;
    fs::rename(&link, dir.join(DATA)).map_err(at(&link))?;
    show(dir, payload)?;
    if let Some(old) = old.map(|old| dir.join(old)) {
        fs::remove_dir_all(&old).map_err(at(&old))?;
    }
    Ok(())
}

/// The folder that `..data` leads to.
fn current(dir: &Path) -> Result<Option<PathBuf>, VolumeError> {
    let link = dir.join(DATA);
    match fs::read_link(&link) {
        Ok(target) => Ok(Some(target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&link)(error)),
    }
}

fn write_file(path: &Path, file: &File) -> Result<(), VolumeError> {
    if let Some(parent) = path.parent() {
        mounts::make_dir(parent)?;
    }
    // Nobody may read it before it has its own mode.
    let mut options = fs::OpenOptions::new();
    let mut out = options.write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
    out.write_all(&file.data).map_err(at(path))?;
    if file.owner.is_some() {
        chown(path, file.owner, None).map_err(at(path))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(file.mode)).map_err(at(path))
}

/// Makes the visible names those of the payload.
fn show(dir: &Path, payload: &Payload) -> Result<(), VolumeError> {
    let first = |path: &PathBuf| path.components().next().map(|c| c.as_os_str().to_owned());
    let wanted: BTreeSet<OsString> = payload.files.keys().filter_map(first).collect();
    for name in mounts::names(dir)? {
        if !name.starts_with("..") && !wanted.contains(&OsString::from(&name)) {
            remove_file(&dir.join(name))?;
        }
    }
    for name in wanted {
        let link = dir.join(&name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new(DATA).join(&name), &link).map_err(at(&link))?;
        }
    }
    Ok(())
}

/// Whether the folder holds just these files.
fn holds(folder: &Path, payload: &Payload) -> Result<bool, VolumeError> {
    let mut there = BTreeSet::new();
    collect(folder, folder, &mut there)?;
    if !there.iter().eq(payload.files.keys()) {
        return Ok(false);
    }
    for (path, file) in &payload.files {
        let path = folder.join(path);
        if fs::read(&path).map_err(at(&path))? != file.data {
            return Ok(false);
        }
    }
    Ok(true)
}

fn collect(root: &Path, dir: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), VolumeError> {
    for name in mounts::names(dir)? {
        let path = dir.join(name);
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(relative) = path.strip_prefix(root) {
            files.insert(relative.to_path_buf());
        }
    }
    Ok(())
}

fn remove_file(path: &Path) -> Result<(), VolumeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}
