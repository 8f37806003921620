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

/// What is on disk of volumes that are published, with the folder of each.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) records: Vec<(PathBuf, Record)>,
    /// Why others can't be told: which volumes those are is not known.
    pub(super) unreadable: Vec<VolumeError>,
}

// === impl Found ===

impl Found {
    /// What is published to a pod.
    pub(super) fn of_pod(root: &Path, uid: &str) -> Self {
        let (mut found, folder) = (Self::default(), pod_folder(root, uid));
        match mounts::names(&folder) {
            Ok(names) => names.iter().for_each(|name| found.look(folder.join(name))),
            Err(error) => found.unreadable.push(error),
        }
        found
    }

    /// What is published to any pod.
    ///
    /// # Errors
    /// When the folder of all pods can't be read.
    pub(super) fn all(root: &Path) -> Result<Self, VolumeError> {
        let mut all = Self::default();
        for uid in mounts::names(&root.join("pods"))? {
            let Self { records, unreadable } = Self::of_pod(root, &uid);
            all.records.extend(records);
            all.unreadable.extend(unreadable);
        }
        Ok(all)
    }

    fn look(&mut self, folder: PathBuf) {
        match Record::read(&folder) {
            Ok(record) => self.records.extend(record.map(|record| (folder, record))),
            Err(error) => self.unreadable.push(error),
        }
    }

    /// Whether a volume is published in another folder than this.
    ///
    /// # Errors
    /// When none is known, but one of a volume that can't be told may be.
    pub(super) fn is_used_beside(&self, last: &Path, record: &Record) -> Result<bool, VolumeError> {
        let name = record.unique_name();
        let mut others = self.records.iter().filter(|(folder, _)| folder != last);
        if others.any(|(_, other)| other.unique_name() == name) {
            return Ok(true);
        }
        match self.unreadable.first() {
            Some(unknown) => Err(VolumeError::Unmet(format!(
                "volume {name} stays staged: whether others use it is not known: {unknown}"
            ))),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder of a volume of the pod with this uid, with such a record in it.
    fn published(root: &Path, uid: &str, name: &str, text: &str) -> PathBuf {
        let folder = pod_folder(root, uid).join(name);
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join(FILE), text).expect("written");
        folder
    }

    const RECORD: &str = r#"{"driverName": "d", "volumeHandle": "h"}"#;

    #[test]
    fn a_record_that_cant_be_read_hides_no_other() {
        let root = tempfile::tempdir().expect("a folder");
        let record: Record = serde_json::from_str(RECORD).expect("a record");
        published(root.path(), "one", "bad", "{");
        let good = [("one", "good"), ("other", "good")];
        let mut good: Vec<_> =
            good.map(|(uid, name)| published(root.path(), uid, name, RECORD)).into();
        let found = Found::all(root.path()).expect("read");
        let mut folders: Vec<_> = found.records.iter().map(|(folder, _)| folder.clone()).collect();
        folders.sort();
        good.sort();
        assert_eq!(folders, good);
        assert!(found.records.iter().all(|(_, one)| *one == record));
        assert_eq!(found.unreadable.len(), 1);
    }

    #[test]
    fn a_volume_that_somebody_may_use_is_in_use() {
        let root = tempfile::tempdir().expect("a folder");
        let record: Record = serde_json::from_str(RECORD).expect("a record");
        let last = published(root.path(), "last", "v", RECORD);
        let used = || Found::all(root.path()).expect("read").is_used_beside(&last, &record);
        assert!(!used().expect("known"));
        published(root.path(), "other", "w", "{");
        let why = used().expect_err("nobody knows").to_string();
        assert!(why.contains("stays staged") && why.contains("other/volumes"), "{why}");
        published(root.path(), "third", "v", RECORD);
        assert!(used().expect("known"));
    }
}
