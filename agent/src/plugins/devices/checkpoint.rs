//! What containers were given, written down.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

const FILE: &str = "allocations.json";

/// All of it.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// All resources that a plugin ever brought: without it nobody gets any.
    pub(super) resources: BTreeSet<String>,
    pub(super) allocations: Vec<Allocation>,
}

/// What one container was given of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Allocation {
    /// The pod's uid.
    pub(super) pod: String,
    pub(super) container: String,
    pub(super) resource: String,
    pub(super) ids: Vec<String>,
    pub(super) given: Given,
}

/// How a container sees its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    pub(crate) env: BTreeMap<String, String>,
    /// From a path of the node to one of the container; whether it is read-only.
    pub(crate) mounts: Vec<(String, String, bool)>,
    /// From a path of the node to one of the container, with permissions: `rwm`.
    pub(crate) nodes: Vec<(String, String, String)>,
    pub(crate) annotations: BTreeMap<String, String>,
}

// === impl Checkpoint ===

impl Checkpoint {
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        match fs::read(folder.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            text => serde_json::from_slice(&text?).map_err(io::Error::other),
        }
    }

    /// Returns when it is on the disk.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let fresh = folder.join("allocations.json~");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        file.sync_all()?;
        fs::rename(fresh, folder.join(FILE))
    }
}
