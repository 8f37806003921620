//! The store's state, and what is removed when nothing needs it.

use super::shared::{Guard, Stamp};
use super::{Inner, Pin, State, io_error, write_atomically};
use crate::images::blob;
use crate::runtime::{Error, Result};
use parking_lot::MutexGuard;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

// === impl Inner ===

impl Inner {
    pub(super) fn folder(&self, diff: &str) -> Result<PathBuf> {
        let hex = blob::hex_of(diff)
            .ok_or_else(|| Error::Invalid(format!("\"{diff}\" is not a SHA-256 digest")))?;
        Ok(self.root.join("layers").join(hex))
    }

    pub(super) fn folders(&self, layers: &[String]) -> Vec<PathBuf> {
        layers.iter().filter_map(|l| self.folder(l).ok()).collect()
    }

    /// What there is, with what other processes added.
    pub(super) fn state(&self) -> Result<MutexGuard<'_, State>> {
        let path = self.root.join("index.json");
        let mut state = self.state.lock();
        // Taken before reading: what is written in between is read once more.
        let stamp = Stamp::of(&path);
        if state.stamp != stamp {
            state.images = match fs::read(&path) {
                Ok(bytes) => serde_json::from_slice(&bytes)
                    .map_err(|e| Error::Failed(format!("{}: {e}", path.display())))?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
                Err(e) => return Err(io_error(&path, e)),
            };
            state.stamp = stamp;
        }
        Ok(state)
    }

    pub(super) fn pin(
        self: &Arc<Self>,
        state: &mut State,
        layers: Vec<String>,
        adding: Option<Guard>,
    ) -> Pin {
        for layer in &layers {
            *state.pins.entry(layer.clone()).or_default() += 1;
        }
        Pin { inner: self.clone(), layers, adding }
    }

    /// Writes the index. The caller holds the lock for it.
    pub(super) fn save(&self, state: &mut State) -> Result<()> {
        let bytes = serde_json::to_vec(&state.images)
            .map_err(|e| Error::Failed(format!("image index: {e}")))?;
        let path = self.root.join("index.json");
        write_atomically(&path, &bytes)?;
        state.stamp = Stamp::of(&path);
        Ok(())
    }

    /// Removes layers and configurations that nothing needs. Left for later while others add some, and to the
    /// process that owns the store: it knows which containers there are.
    pub(super) fn collect(&self, state: &State) -> Result<()> {
        let Some(_nobody_adds) = self.shared.nobody_adds().filter(|_| self.shared.is_owner())
        else {
            return Ok(());
        };
        let layers: BTreeSet<&str> = state
            .images
            .values()
            .flat_map(|r| r.layers.iter())
            .chain(state.pins.keys())
            .filter_map(|d| blob::hex_of(d))
            .collect();
        sweep(&self.root.join("layers"), &layers)?;
        let blobs = state.images.keys().filter_map(|d| blob::hex_of(d)).collect();
        sweep(&self.root.join("blobs/sha256"), &blobs)
    }
}

// === impl Pin ===

impl Drop for Pin {
    fn drop(&mut self) {
        drop(self.adding.take());
        let mut state = match self.inner.state() {
            Ok(state) => state,
            Err(e) => {
                tracing::warn!(error = %e, "image layers stay that may not be needed");
                return;
            }
        };
        for layer in &self.layers {
            if let Some(n) = state.pins.get_mut(layer) {
                *n -= 1;
                if *n == 0 {
                    state.pins.remove(layer);
                }
            }
        }
        if let Err(e) = self.inner.collect(&state) {
            tracing::warn!(error = %e, "could not remove image layers nobody needs");
        }
    }
}

fn sweep(folder: &Path, keep: &BTreeSet<&str>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| io_error(folder, e))? {
        let entry = entry.map_err(|e| io_error(folder, e))?;
        if !keep.contains(entry.file_name().to_string_lossy().as_ref()) {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes all that is in a folder.
pub(super) fn empty(folder: &Path) -> Result<()> {
    sweep(folder, &BTreeSet::new())
}

/// Removes a file or a folder with all in it; it may be gone.
pub(crate) fn remove_tree(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(path, e)),
        _ => Ok(()),
    }
}
