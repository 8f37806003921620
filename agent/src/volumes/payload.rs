//! The files of a volume that shows what objects hold.

use super::VolumeError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use windlass_core::apis::core::v1::KeyToPath;

/// What a file of such a volume may be read by, when nothing else is said.
const DEFAULT_MODE: i32 = 0o644;

/// Files by their path in the volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) files: BTreeMap<PathBuf, File>,
    pub(crate) renew_at: Option<Timestamp>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) data: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) owner: Option<u32>,
}

impl std::fmt::Debug for File {
    // The data may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({} bytes, {:o})", self.data.len(), self.mode)
    }
}

/// The data of a ConfigMap or Secret, and what the volume says about it.
pub(crate) struct Selection<'a> {
    /// `config` or `secret`, for messages.
    pub(crate) what: &'a str,
    pub(crate) data: BTreeMap<String, Vec<u8>>,
    pub(crate) items: Option<&'a Vec<KeyToPath>>,
    pub(crate) mode: Option<i32>,
    pub(crate) optional: bool,
}

impl Payload {
    /// Adds one file.
    pub(crate) fn add(
        &mut self,
        path: &str,
        data: Vec<u8>,
        mode: Option<i32>,
    ) -> Result<(), VolumeError> {
        let path = inside(path)?;
        let mode = mode.unwrap_or(DEFAULT_MODE).unsigned_abs() & 0o7777;
        self.files.insert(path, File { data, mode, owner: None });
        Ok(())
    }

    /// Adds all keys, or the items that are asked for.
    pub(crate) fn select(&mut self, mut selection: Selection<'_>) -> Result<(), VolumeError> {
        let Some(items) = selection.items else {
            for (key, data) in selection.data {
                self.add(&key, data, selection.mode)?;
            }
            return Ok(());
        };
        for item in items {
            match selection.data.remove(&item.key) {
                Some(data) => {
                    // The same key may be asked for twice.
                    selection.data.insert(item.key.clone(), data.clone());
                    self.add(&item.path, data, item.mode.or(selection.mode))?;
                }
                None if selection.optional => {}
                None => {
                    let what = selection.what;
                    let key = &item.key;
                    return Err(VolumeError::Unmet(format!(
                        "references non-existent {what} key: {key}"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// A path that stays in the volume.
fn inside(path: &str) -> Result<PathBuf, VolumeError> {
    let parsed = Path::new(path);
    let plain = parsed.components().all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || !plain || path.starts_with("..") {
        return Err(VolumeError::Unmet(format!("invalid path: \"{path}\"")));
    }
    Ok(parsed.to_path_buf())
}
