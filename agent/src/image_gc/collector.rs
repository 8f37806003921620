//! Looks at images and their disk, and removes what goes.

use super::ImageGcPolicy;
use super::plan::{self, Candidate, Records};
use crate::eviction::disk_levels;
use crate::images::ImageId;
use crate::pod_workers::Host;
use crate::runtime::{Error, Result, Runtime};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use windlass_core::component::Shutdown;

/// How often the disk is looked at, as the kubelet does.
const PERIOD: Duration = Duration::from_secs(300);

/// Keeps the images of a node from filling its disk.
pub(crate) struct ImageGc {
    policy: ImageGcPolicy,
    /// Held while images are removed: one at a time counts what goes.
    records: Mutex<Records>,
}

/// What was removed.
#[derive(Debug, Default)]
struct Freed {
    bytes: u64,
    errors: Vec<String>,
}

// === impl ImageGc ===

impl ImageGc {
    pub(crate) fn new(policy: ImageGcPolicy) -> Self {
        Self { policy, records: Mutex::default() }
    }

    /// Looks again and again until shutdown.
    pub(crate) async fn run(self: Arc<Self>, host: Arc<Host>, shutdown: Shutdown) {
        // What is here now was not fetched for a pod that is just about to start.
        if let Err(error) = self.look(&host, &mut *self.records.lock().await).await {
            tracing::debug!(%error, "images can't be looked at yet");
        }
        let mut failed_before = false;
        while shutdown.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
            let failed = self.collect(&host).await;
            if let Err(error) = &failed {
                tracing::warn!(%error, "image garbage collection failed");
                // Once is no reason to worry anybody.
                if failed_before {
                    host.node_warning("ImageGCFailed", &error.to_string());
                }
            }
            failed_before = failed.is_err();
        }
    }

    /// Removes all images that may go, and tells how many bytes they had.
    ///
    /// # Errors
    /// When the runtime can't be asked, or not all could be removed.
    pub(crate) async fn delete_unused(&self, host: &Host) -> Result<u64> {
        let mut records = self.records.lock().await;
        self.look(host, &mut records).await?;
        let candidates = records.candidates(&self.policy, host.now());
        free(host, &mut records, candidates, u64::MAX).await.outcome()
    }

    async fn collect(&self, host: &Host) -> Result<()> {
        let mut records = self.records.lock().await;
        self.look(host, &mut records).await?;
        let now = host.now();
        let candidates = records.candidates(&self.policy, now);
        let outdated = records.outdated(&candidates, &self.policy, now);
        free(host, &mut records, outdated, u64::MAX).await.outcome()?;
        let Some(root) = host.runtime.image_root().await else { return Ok(()) };
        let excess = plan::excess(&self.policy, disk(&root).await?);
        let Some(wanted) = excess else { return Ok(()) };
        tracing::info!(wanted, "the disk of images is over the high threshold");
        let candidates = records.candidates(&self.policy, now);
        let found = free(host, &mut records, candidates, wanted).await.outcome()?;
        if found >= wanted {
            return Ok(());
        }
        let message = format!(
            "Failed to garbage collect required amount of images. Attempted to free {wanted} bytes, but only found {found} bytes eligible to free."
        );
        host.node_warning("FreeDiskSpaceFailed", &message);
        Err(Error::Failed(message))
    }

    async fn look(&self, host: &Host, records: &mut Records) -> Result<()> {
        let mut used = used(&*host.runtime).await?;
        let volumes = host.volumes.images_in_use();
        used.extend(volumes.map_err(|error| Error::Failed(error.to_string()))?);
        let images = host.runtime.list_images().await?;
        records.note(images, &used, host.now());
        Ok(())
    }
}

// === impl Freed ===

impl Freed {
    fn outcome(self) -> Result<u64> {
        if self.errors.is_empty() {
            return Ok(self.bytes);
        }
        let (bytes, errors) = (self.bytes, self.errors.join("; "));
        let message = format!("freed {bytes} bytes space with errors in image deletion: {errors}");
        Err(Error::Failed(message))
    }
}

/// The images that containers have, also those that have ended.
async fn used(runtime: &dyn Runtime) -> Result<BTreeSet<ImageId>> {
    Ok(runtime.list_containers().await?.into_iter().map(|container| container.image).collect())
}

/// Removes images until so many bytes are free.
async fn free(
    host: &Host,
    records: &mut Records,
    candidates: Vec<Candidate>,
    wanted: u64,
) -> Freed {
    let mut freed = Freed::default();
    for Candidate { id, size, .. } in candidates {
        if freed.bytes >= wanted {
            break;
        }
        match host.runtime.remove_image(&id.0).await {
            Ok(()) => {
                tracing::info!(image = id.0, size, "removed an image that nothing uses");
                records.forget(&id);
                freed.bytes = freed.bytes.saturating_add(size);
            }
            Err(error) => freed.errors.push(error.to_string()),
        }
    }
    freed
}

async fn disk(root: &Path) -> Result<crate::eviction::Level> {
    let root = root.to_path_buf();
    let level = tokio::task::spawn_blocking(move || disk_levels(&root)).await;
    let level = level.map_err(|e| Error::Failed(format!("the look at the disk broke off: {e}")))?;
    let (bytes, _) =
        level.ok_or_else(|| Error::Failed("the disk of images can't be measured".into()))?;
    match bytes.capacity {
        0 => Err(Error::Failed("invalid capacity 0 on image filesystem".into())),
        _ => Ok(bytes),
    }
}
