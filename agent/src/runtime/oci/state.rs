//! What is kept on disk.

use crate::images::store::write_atomically;
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
pub(super) struct Layout {
    state: PathBuf,
    run: PathBuf,
}

/// A sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SandboxRecord {
    pub(super) id: SandboxId,
    pub(super) config: SandboxConfig,
    pub(super) created_at: SystemTime,
    pub(super) ips: Vec<IpAddr>,
    pub(super) ready: bool,
    /// The process that holds a shared process namespace, as the node numbers it.
    pub(super) pause: Option<u32>,
}

/// A container, as it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ContainerRecord {
    pub(super) id: ContainerId,
    pub(super) sandbox: SandboxId,
    pub(super) config: ContainerConfig,
    pub(super) created_at: SystemTime,
    /// Its cgroup, from the root of the hierarchy.
    pub(super) cgroup: PathBuf,
    /// Folders of its image's layers, lowest first.
    pub(super) layers: Vec<PathBuf>,
    /// The number of the signal that asks it to stop.
    pub(super) stop_signal: i32,
}

/// What a shim is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Launch {
    pub(super) id: String,
    pub(super) log_path: PathBuf,
    #[serde(default)]
    pub(super) log_limits: LogLimits,
    pub(super) tty: bool,
    pub(super) stdin: bool,
    pub(super) stdin_once: bool,
    /// Other processes of the container don't die with its first one.
    pub(super) kill_all: bool,
    pub(super) cgroup: PathBuf,
    pub(super) shim_cgroup: PathBuf,
}

/// A container that was started.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
    pub(super) pid: u32,
    pub(super) started_at: SystemTime,
}

/// A container that has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ExitRecord {
    pub(super) started_at: Option<SystemTime>,
    pub(super) finished_at: SystemTime,
    pub(super) exit_code: i32,
    pub(super) reason: String,
    pub(super) message: String,
}

// === impl Layout ===

impl Layout {
    pub(super) fn new(state: &Path, run: &Path) -> Result<Self> {
        let this = Self { state: state.to_path_buf(), run: run.to_path_buf() };
        for folder in [this.sandboxes(), this.containers(), this.scratch(), this.run.clone()] {
            make_folder(&folder)?;
        }
        Ok(this)
    }

    pub(super) fn sandboxes(&self) -> PathBuf {
        self.state.join("sandboxes")
    }

    pub(super) fn containers(&self) -> PathBuf {
        self.state.join("containers")
    }

    pub(super) fn scratch(&self) -> PathBuf {
        self.state.join("scratch")
    }

    pub(super) fn sandbox(&self, id: &SandboxId) -> PathBuf {
        self.sandboxes().join(format!("{}.json", id.0))
    }

    pub(super) fn container(&self, id: &ContainerId) -> PathBuf {
        self.containers().join(&id.0)
    }

    /// The folder of a sandbox's namespaces.
    pub(super) fn namespaces(&self, id: &SandboxId) -> PathBuf {
        self.run.join(&id.0)
    }
}

// === impl SandboxRecord ===

impl SandboxRecord {
    pub(super) fn status(&self) -> SandboxStatus {
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
    pub(super) fn state(&self) -> ContainerState {
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
    pub(super) fn state(&self) -> ContainerState {
        ContainerState::Running { started_at: self.started_at, pid: self.pid }
    }
}

/// Makes a folder that only root can enter.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| io_error(path, e))
}

/// Reads a record; `None` when there is none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|e| Error::Failed(format!("{}: {e}", path.display()))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error(path, e)),
    }
}

/// Replaces a record.
pub(super) fn write<T: Serialize>(path: &Path, record: &T) -> Result<()> {
    let bytes = serde_json::to_vec(record)
        .map_err(|e| Error::Failed(format!("{}: {e}", path.display())))?;
    write_atomically(path, &bytes)
}

/// Removes a file or a folder with all in it; it may be gone.
pub(super) fn remove(path: &Path) -> Result<()> {
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

/// An error about a path.
pub(super) fn io_error(path: &Path, source: impl Into<io::Error>) -> Error {
    Error::Io { context: path.display().to_string(), source: source.into() }
}
