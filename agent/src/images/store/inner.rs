//! The store's state, and what is removed when nothing needs it.

use super::{Inner, Pin, State, io_error, write_atomically};
use crate::images::blob;
use crate::runtime::{Error, Result};
use std::collections::BTreeSet;
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

    pub(super) fn pin(self: &Arc<Self>, state: &mut State, layers: Vec<String>) -> Pin {
        for layer in &layers {
            *state.pins.entry(layer.clone()).or_default() += 1;
        }
        Pin { inner: self.clone(), layers }
    }

    pub(super) fn save(&self, state: &State) -> Result<()> {
        let bytes = serde_json::to_vec(&state.images)
            .map_err(|e| Error::Failed(format!("image index: {e}")))?;
        write_atomically(&self.root.join("index.json"), &bytes)
    }

    /// Removes layers and configurations that nothing needs.
    pub(super) fn collect(&self, state: &State) -> Result<()> {
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
        let mut state = self.inner.state.lock();
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

/// Removes a file or a folder with all in it; it may be gone.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
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
