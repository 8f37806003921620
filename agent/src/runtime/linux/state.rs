//! What is kept on disk.

use crate::images::store::write_atomically;
pub(in crate::runtime) use crate::images::store::{io_error, remove_tree as remove};
use crate::runtime::{
    ContainerConfig, ContainerId, ContainerState, Error, LogLimits, Result, SandboxConfig,
    SandboxId, SandboxStatus,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where things lie.
#[derive(Clone)]
pub(in crate::runtime) struct Layout {
    state: PathBuf,
    run: PathBuf,
}

/// A sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::runtime) struct SandboxRecord {
    pub(in crate::runtime) id: SandboxId,
    pub(in crate::runtime) config: SandboxConfig,
    pub(in crate::runtime) created_at: SystemTime,
    pub(in crate::runtime) ips: Vec<IpAddr>,
    pub(in crate::runtime) ready: bool,
    /// The process that holds a shared process namespace, as the node numbers it.
    pub(in crate::runtime) pause: Option<u32>,
}

/// A container, as it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::runtime) struct ContainerRecord {
    pub(in crate::runtime) id: ContainerId,
    pub(in crate::runtime) sandbox: SandboxId,
    pub(in crate::runtime) config: ContainerConfig,
    pub(in crate::runtime) created_at: SystemTime,
    /// Its cgroup, from the root of the hierarchy.
    pub(in crate::runtime) cgroup: PathBuf,
    /// Folders of its image's layers, lowest first.
    pub(in crate::runtime) layers: Vec<PathBuf>,
    /// The number of the signal that asks it to stop.
    pub(in crate::runtime) stop_signal: i32,
}

/// What a shim is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::runtime) struct Launch {
    pub(in crate::runtime) id: String,
    pub(in crate::runtime) log_path: PathBuf,
    #[serde(default)]
    pub(in crate::runtime) log_limits: LogLimits,
    pub(in crate::runtime) tty: bool,
    pub(in crate::runtime) stdin: bool,
    pub(in crate::runtime) stdin_once: bool,
    /// Other processes of the container don't die with its first one.
    pub(in crate::runtime) kill_all: bool,
    pub(in crate::runtime) cgroup: PathBuf,
    pub(in crate::runtime) shim_cgroup: PathBuf,
}

/// A container that was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::runtime) struct RunRecord {
    pub(in crate::runtime) pid: u32,
    pub(in crate::runtime) started_at: SystemTime,
}

/// A container that has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::runtime) struct ExitRecord {
    pub(in crate::runtime) started_at: Option<SystemTime>,
    pub(in crate::runtime) finished_at: SystemTime,
    pub(in crate::runtime) exit_code: i32,
    pub(in crate::runtime) reason: String,
    pub(in crate::runtime) message: String,
}

// === impl Layout ===

impl Layout {
    pub(in crate::runtime) fn new(state: &Path, run: &Path) -> Result<Self> {
        let this = Self { state: state.to_path_buf(), run: run.to_path_buf() };
        for folder in [this.sandboxes(), this.containers(), this.scratch(), this.run.clone()] {
            make_folder(&folder)?;
        }
        Ok(this)
    }

    pub(in crate::runtime) fn sandboxes(&self) -> PathBuf {
        self.state.join("sandboxes")
    }

    pub(in crate::runtime) fn containers(&self) -> PathBuf {
        self.state.join("containers")
    }

    pub(in crate::runtime) fn scratch(&self) -> PathBuf {
        self.state.join("scratch")
    }

    pub(in crate::runtime) fn sandbox(&self, id: &SandboxId) -> PathBuf {
        self.sandboxes().join(format!("{}.json", id.0))
    }

    pub(in crate::runtime) fn container(&self, id: &ContainerId) -> PathBuf {
        self.containers().join(&id.0)
    }

    /// The folder of a sandbox's namespaces.
    pub(in crate::runtime) fn namespaces(&self, id: &SandboxId) -> PathBuf {
        self.run.join(&id.0)
    }
}

// === impl SandboxRecord ===

impl SandboxRecord {
    pub(in crate::runtime) fn status(&self) -> SandboxStatus {
        SandboxStatus {
            id: self.id.clone(),
            config: self.config.clone(),
            ready: self.ready,
            ips: self.ips.clone(),
            created_at: self.created_at,
        }
    }
}

// === impl ExitRecord ===

impl ExitRecord {
    pub(in crate::runtime) fn state(&self) -> ContainerState {
        ContainerState::Exited {
            started_at: self.started_at,
            finished_at: self.finished_at,
            exit_code: self.exit_code,
            reason: self.reason.clone(),
            message: self.message.clone(),
        }
    }
}

// === impl RunRecord ===

impl RunRecord {
    pub(in crate::runtime) fn state(&self) -> ContainerState {
        ContainerState::Running { started_at: self.started_at, pid: self.pid }
    }
}

/// Makes a folder that only root can enter.
pub(in crate::runtime) fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| io_error(path, e))
}

/// Reads a record; `None` when there is none.
pub(in crate::runtime) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Error::Failed(format!("{}: {e}", path.display()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error(path, e)),
    }
}

/// Replaces a record.
pub(in crate::runtime) fn write<T: Serialize>(path: &Path, record: &T) -> Result<()> {
    let bytes = serde_json::to_vec(record)
        .map_err(|e| Error::Failed(format!("{}: {e}", path.display())))?;
    write_atomically(path, &bytes)
}
