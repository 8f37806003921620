//! Undoing what was mounted, by what is on disk.

use super::record::{Found, Record};
use super::{Csi, refused};
use crate::plugins::proto::csi::{NodeUnpublishVolumeRequest, NodeUnstageVolumeRequest};
use crate::volumes::{VolumeError, blocking, mounts};
use std::path::Path;

impl Csi {
    /// Takes a pod's volumes away from it, and from the node when no other pod uses them. Does nothing when that is done.
    ///
    /// # Errors
    /// What the first driver says that can't, or else why a record can't be read; all that is not done can be tried
    /// again.
    pub(crate) async fn tear_down(&self, uid: &str) -> Result<(), VolumeError> {
        let (root, pod) = (self.root.clone(), uid.to_owned());
        let found = blocking(move || Ok(Found::of_pod(&root, &pod))).await?;
        for (folder, record) in found.records {
            let lock = self.lock(&record);
            let _one = lock.lock().await;
            self.unpublish(&folder.join("mount"), &record).await?;
            if !record.is_ephemeral() {
                self.unstage(&folder, &record).await?;
            }
            // Last: until then it is known that there is something to undo.
            blocking(move || mounts::remove_tree(&folder)).await?;
            self.changed.notify_one();
        }
        found.unreadable.into_iter().next().map_or(Ok(()), Err)
    }

    async fn unpublish(&self, target: &Path, record: &Record) -> Result<(), VolumeError> {
        let driver = self.drivers.get(&record.driver).map_err(VolumeError::Unmet)?;
        let request = NodeUnpublishVolumeRequest {
            volume_id: record.handle.clone(),
            target_path: target.display().to_string(),
        };
        driver.client().node_unpublish_volume(request).await.map_err(refused)?;
        self.published.lock().remove(target);
        Ok(())
    }

    /// Unstages a volume that is published in no other folder than this.
    async fn unstage(&self, last: &Path, record: &Record) -> Result<(), VolumeError> {
        let (root, own, last) = (self.root.clone(), record.clone(), last.to_path_buf());
        let free = blocking(move || {
            let staged = Record::read(&own.staging(&root))?.is_some();
            Ok(staged && !Found::all(&root)?.is_used_beside(&last, &own)?)
        });
        if !free.await? {
            return Ok(());
        }
        let staging = record.staging(&self.root);
        let driver = self.drivers.get(&record.driver).map_err(VolumeError::Unmet)?;
        let request = NodeUnstageVolumeRequest {
            volume_id: record.handle.clone(),
            staging_target_path: staging.join("globalmount").display().to_string(),
        };
        driver.client().node_unstage_volume(request).await.map_err(refused)?;
        blocking(move || mounts::remove_tree(&staging)).await
    }
}
