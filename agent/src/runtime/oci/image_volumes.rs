//! Images that pods have as volumes.

use super::Inner;
use crate::images::ImageId;
use crate::images::layer::copy_merged;
use crate::images::store::Pin;
use crate::runtime::Result;
use crate::runtime::linux::image_mount;
use crate::runtime::oci::state::{io_error, make_folder, remove};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Keeps the layers of what is mounted.
pub(super) type Mounted = Mutex<HashMap<PathBuf, Pin>>;

/// Shows an image's files on a folder.
pub(super) fn mount(inner: &Inner, id: &ImageId, target: &Path) -> Result<()> {
    let (layers, pin) = inner.options.images.layers(id)?;
    make_folder(target)?;
    match inner.overlay || layers.len() < 2 {
        true => image_mount::mount(&layers, target)?,
        false => image_mount::mount(&[copied(&layers, target)?], target)?,
    }
    inner.mounted.lock().insert(target.to_path_buf(), pin);
    Ok(())
}

/// Takes that away.
pub(super) fn unmount(inner: &Inner, target: &Path) -> Result<()> {
    image_mount::unmount(target)?;
    remove(&copy_of(target))?;
    let pin = inner.mounted.lock().remove(target);
    // Layers may go with it: not while others wait for the lock.
    drop(pin);
    Ok(())
}

/// One folder with all files, where there is no overlayfs.
fn copied(layers: &[PathBuf], target: &Path) -> Result<PathBuf> {
    let copy = copy_of(target);
    let half = copy.with_extension("new");
    if !copy.exists() {
        remove(&half)?;
        make_folder(&half)?;
        copy_merged(layers, &half).map_err(|error| io_error(&half, error))?;
        std::fs::rename(&half, &copy).map_err(|error| io_error(&copy, error))?;
    }
    Ok(copy)
}

fn copy_of(target: &Path) -> PathBuf {
    target.with_extension("files")
}
