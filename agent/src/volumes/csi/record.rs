//! `vol_data.json`: what is needed to undo a mount, beside it.

use super::source::hash;
use crate::volumes::{VolumeError, at, mounts};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "vol_data.json";

/// What is written down of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The name of its VolumeAttachment to this node.
    #[serde(rename = "attachmentID", default)]
    pub(super) attachment: String,
    #[serde(rename = "driverName")]
    pub(super) driver: String,
    #[serde(rename = "nodeName", default)]
    pub(super) node: String,
    #[serde(rename = "specVolID", default)]
    pub(super) spec_name: String,
    #[serde(rename = "volumeHandle")]
    pub(super) handle: String,
    /// `Persistent` or `Ephemeral`.
    #[serde(rename = "volumeLifecycleMode", default)]
    pub(super) mode: String,
}

// === impl Record ===

impl Record {
    pub(super) fn is_ephemeral(&self) -> bool {
        self.mode == "Ephemeral"
    }

    /// The volume's name in Node status.
    pub(super) fn unique_name(&self) -> String {
        format!("kubernetes.io/csi/{}^{}", self.driver, self.handle)
    }

    /// Where the volume is staged.
    pub(super) fn staging(&self, root: &Path) -> PathBuf {
        let drivers = root.join("plugins").join("kubernetes.io").join("csi");
        drivers.join(&self.driver).join(hash(&[&self.handle]))
    }

    /// Writes it into a folder that is there, to last also when the machine goes down.
    pub(super) fn write(&self, folder: &Path) -> Result<(), VolumeError> {
        let (path, fresh) = (folder.join(FILE), folder.join("vol_data.json~"));
        let text = serde_json::to_vec(self).map_err(|e| at(&path)(io::Error::other(e)))?;
        let durable =
            |path: &Path| fs::File::open(path).and_then(|file| file.sync_all()).map_err(at(path));
        fs::write(&fresh, text).map_err(at(&fresh))?;
        durable(&fresh)?;
        fs::rename(&fresh, &path).map_err(at(&path))?;
        durable(folder)
    }

    /// Reads it; none when nothing was begun there.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, VolumeError> {
        let path = folder.join(FILE);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => {
                let text = text.map_err(at(&path))?;
                let record = serde_json::from_slice(&text);
                record.map(Some).map_err(|e| at(&path)(io::Error::other(e)))
            }
        }
    }
}

/// The folder of a pod's CSI volumes.
pub(super) fn pod_folder(root: &Path, uid: &str) -> PathBuf {
    root.join("pods").join(uid).join("volumes").join("kubernetes.io~csi")
}

/// What is published to a pod, with the folder of each.
pub(super) fn of_pod(root: &Path, uid: &str) -> Result<Vec<(PathBuf, Record)>, VolumeError> {
    let folder = pod_folder(root, uid);
    let mut found = Vec::new();
    for name in mounts::names(&folder)? {
        let place = folder.join(name);
        if let Some(record) = Record::read(&place)? {
            found.push((place, record));
        }
    }
    Ok(found)
}

/// What is published to any pod; of a pod whose records can't be read, nothing, with a word in the log.
pub(super) fn all(root: &Path) -> Result<Vec<(PathBuf, Record)>, VolumeError> {
    let mut found = Vec::new();
    for uid in mounts::names(&root.join("pods"))? {
        match of_pod(root, &uid) {
            Ok(records) => found.extend(records),
            Err(error) => tracing::error!(uid, %error, "the CSI volumes of a pod can't be told"),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_cant_be_read_hides_no_other() {
        let root = tempfile::tempdir().expect("a folder");
        let folders = ["bad", "good"].map(|uid| pod_folder(root.path(), uid).join("v"));
        folders.iter().for_each(|folder| fs::create_dir_all(folder).expect("made"));
        fs::write(folders[0].join(FILE), "{").expect("written");
        let text = r#"{"driverName": "d", "volumeHandle": "h"}"#;
        let record: Record = serde_json::from_str(text).expect("a record");
        record.write(&folders[1]).expect("written");
        assert_eq!(all(root.path()).expect("read"), [(folders[1].clone(), record)]);
    }
}
