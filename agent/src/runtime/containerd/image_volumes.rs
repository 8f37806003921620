//! Images that pods have as volumes: views of their layers.

use super::snapshots::{Snapshots, chain_id, layers_of};
use super::{Inner, images};
use crate::images::ImageId;
use crate::images::blob::{digest_of, hex_of};
use crate::runtime::Result;
use crate::runtime::linux::state::make_folder;
use crate::runtime::linux::{image_mount, lost};
use std::path::Path;

/// Shows an image's files on a folder.
pub(super) async fn mount(inner: &Inner, id: &ImageId, target: &Path) -> Result<()> {
    let image = images::by_id(inner, id).await?;
    let mounts = match image.diffs() {
        [] => Vec::new(),
        diffs => snapshots(inner).view(&key(target), &chain_id(diffs)).await?,
    };
    let (layers, target) = (layers_of(&mounts), target.to_path_buf());
    let work = move || {
        make_folder(&target)?;
        image_mount::mount(&layers, &target)
    };
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

/// Takes that away.
pub(super) async fn unmount(inner: &Inner, target: &Path) -> Result<()> {
    let at = target.to_path_buf();
    tokio::task::spawn_blocking(move || image_mount::unmount(&at)).await.map_err(lost)??;
    snapshots(inner).remove(&key(target)).await
}

fn snapshots(inner: &Inner) -> Snapshots<'_> {
    Snapshots { connection: &inner.connection, snapshotter: &inner.options.snapshotter }
}

/// The name of a folder's view: folders have longer ones than snapshots may.
fn key(target: &Path) -> String {
    let digest = digest_of(target.as_os_str().as_encoded_bytes());
    format!("windlass-volume-{}", hex_of(&digest).unwrap_or_default())
}
