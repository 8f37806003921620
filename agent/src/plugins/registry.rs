//! Finds plugins by their sockets in the folder `plugins_registry`, and tells them how it went.

use super::csi::Drivers;
use super::proto::registration::registration_client::RegistrationClient;
use super::proto::registration::{InfoRequest, PluginInfo, RegistrationStatus};
use super::{connect, refusal};
use crate::changes::{Changes, Persistence};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::component::Shutdown;
use windlass_core::workqueue::Backoff;

/// How long a plugin may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
const AGAIN: Backoff = Backoff { first: Duration::from_millis(500), max: Duration::from_secs(120) };

/// The plugins of a folder.
pub(crate) struct PluginRegistry {
    folder: PathBuf,
    drivers: Arc<Drivers>,
    /// By their sockets.
    known: BTreeMap<PathBuf, Known>,
}

/// A file's inode and the time it was made or changed last, as inodes are used again.
type Identity = (u64, i64, i64);

/// A socket that was seen.
#[derive(Debug)]
struct Known {
    /// Another one may come under the same name.
    identity: Identity,
    /// The driver it registered; none until that has worked.
    driver: Option<String>,
    failures: u32,
    retry_at: Instant,
}

// === impl PluginRegistry ===

impl PluginRegistry {
    pub(crate) fn new(root: &Path, drivers: Arc<Drivers>) -> Self {
        Self { folder: root.join("plugins_registry"), drivers, known: BTreeMap::new() }
    }

    /// Follows the folder until shutdown, also when it can't be followed for a while.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let trouble = format!("plugins can't be looked for in {}", self.folder.display());
        let mut persistence = Persistence::new(trouble, AGAIN);
        let following = async {
            loop {
                persistence.after(self.step().await).await;
            }
        };
        shutdown.run_until_cancelled(following).await;
    }

    /// Looks once, and waits until there may be something to see again.
    async fn step(&mut self) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        // Anew each time: the folder may be another one by now.
        let mut changes = Changes::of(&self.folder, Changes::NAMES)?;
        self.look(&sockets(&self.folder)?).await;
        let next = self.known.values().filter(|known| known.driver.is_none());
        let next = next.map(|known| known.retry_at).min();
        tokio::select! {
            changed = changes.wait() => changed,
            () = sleep_until(next) => Ok(()),
        }
    }

    async fn look(&mut self, there: &BTreeMap<PathBuf, Identity>) {
        let gone = |(path, known): (&PathBuf, &Known)| {
            (there.get(path) != Some(&known.identity)).then(|| path.clone())
        };
        let gone: Vec<_> = self.known.iter().filter_map(gone).collect();
        for path in gone {
            let known = self.known.remove(&path);
            // It may have come anew on another socket.
            if let Some(driver) = known.and_then(|known| known.driver)
                && !self.known.values().any(|other| other.driver.as_ref() == Some(&driver))
            {
                self.drivers.remove(&driver).await;
            }
        }
        for (path, identity) in there {
            let now = Instant::now();
            let known = self.known.get(path);
            if known.is_some_and(|known| known.driver.is_some() || known.retry_at > now) {
                continue;
            }
            let failures = known.map_or(0, |known| known.failures);
            let known = match self.register(path).await {
                Ok(driver) => {
                    Known { identity: *identity, driver: Some(driver), failures: 0, retry_at: now }
                }
                Err(error) => {
                    tracing::warn!(socket = %path.display(), error, "a plugin is not registered");
                    let retry_at = Instant::now() + AGAIN.wait(failures);
                    Known { identity: *identity, driver: None, failures: failures + 1, retry_at }
                }
            };
            self.known.insert(path.clone(), known);
        }
    }

    async fn register(&self, socket: &Path) -> Result<String, String> {
        let mut plugin = RegistrationClient::new(connect(socket, ANSWER).await?);
        let info = plugin.get_info(InfoRequest {}).await.map_err(|status| refusal(&status))?;
        let info = info.into_inner();
        let taken = self.take(socket, &info).await;
        let error = taken.as_ref().err().cloned().unwrap_or_default();
        let status = RegistrationStatus { plugin_registered: taken.is_ok(), error };
        plugin.notify_registration_status(status).await.map_err(|status| refusal(&status))?;
        taken.map(|()| info.name)
    }

    async fn take(&self, socket: &Path, info: &PluginInfo) -> Result<(), String> {
        if info.r#type != "CSIPlugin" {
            return Err(format!("no handler registered for plugin type: {}", info.r#type));
        }
        if !info.supported_versions.iter().any(|version| is_one(version)) {
            let versions = info.supported_versions.join(", ");
            return Err(format!("no version of CSI that is known among [{versions}]"));
        }
        let endpoint = match info.endpoint.as_str() {
            "" => socket.to_path_buf(),
            endpoint => PathBuf::from(endpoint),
        };
        self.drivers.add(&info.name, &endpoint).await
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// `1.0.0`, `v1.9`.
fn is_one(version: &str) -> bool {
    version.trim_start_matches('v').split('.').next() == Some("1")
}

/// The sockets of a folder, and which they are.
fn sockets(folder: &Path) -> io::Result<BTreeMap<PathBuf, Identity>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // It may be gone again.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.file_type().is_socket() {
            found.insert(entry.path(), (meta.ino(), meta.ctime(), meta.ctime_nsec()));
        }
    }
    Ok(found)
}
