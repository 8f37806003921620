//! Fetches images from registries.

use super::registry::{Found, Source};
use super::store::ImageStore;
use super::{Credentials, ImageId, reference};
use crate::runtime::{Error, Result};
use oci_client::Reference;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_spec::image::ImageConfiguration;
use std::path::Path;

/// Fetches an image and makes it visible once all of it is verified.
pub(super) async fn pull(
    store: &ImageStore,
    name: &str,
    auth: Option<Credentials>,
) -> Result<ImageId> {
    let image = reference::parse(name)?;
    let source = store.inner.registries.source(&image, auth).await?;
    let Found { manifest, digest, config } = source.find().await?;
    let _one = store.inner.writer.lock().await;
    let parsed: ImageConfiguration = serde_json::from_str(&config)
        .map_err(|e| Error::Invalid(format!("malformed image configuration: {e}")))?;
    let _reserved = store.reserve(parsed.rootfs().diff_ids())?;
    let size = fetch_layers(store, &source, &image, &manifest, &parsed).await?;
    let digests = [reference::with_digest(&image, &digest)];
    let names = if image.digest().is_some() { vec![] } else { vec![image.whole()] };
    let id = store.commit(config.as_bytes(), &names, &digests, size)?;
    tracing::info!(image = image.whole(), id = id.0, size, "pulled image");
    Ok(id)
}

async fn fetch_layers(
    store: &ImageStore,
    source: &Source,
    image: &Reference,
    manifest: &OciImageManifest,
    config: &ImageConfiguration,
) -> Result<u64> {
    let diffs = config.rootfs().diff_ids();
    if diffs.len() != manifest.layers.len() {
        return Err(Error::Invalid(format!(
            "image \"{}\" has {} layers and its configuration {}",
            image.whole(),
            manifest.layers.len(),
            diffs.len()
        )));
    }
    let mut size = 0;
    for (n, (layer, diff)) in manifest.layers.iter().zip(diffs).enumerate() {
        tracing::info!(
            image = image.whole(),
            layer = n + 1,
            of = diffs.len(),
            bytes = layer.size,
            "pulling"
        );
        size += u64::try_from(layer.size).unwrap_or(0);
        if !store.has_layer(diff)? {
            fetch_layer(store, source, layer, diff).await?;
        }
    }
    Ok(size)
}

async fn fetch_layer(
    store: &ImageStore,
    source: &Source,
    layer: &OciDescriptor,
    diff: &str,
) -> Result<()> {
    let path = store.scratch();
    let fetched = source.download(layer, &path).await;
    let unpacked = match fetched {
        Ok(()) => unpack(store, &path, &layer.digest, diff).await,
        Err(e) => Err(e),
    };
    if let Err(e) = tokio::fs::remove_file(&path).await {
        tracing::debug!(error = %e, path = %path.display(), "could not remove a layer's download");
    }
    unpacked
}

async fn unpack(store: &ImageStore, path: &Path, digest: &str, diff: &str) -> Result<()> {
    let (store, path) = (store.clone(), path.to_path_buf());
    let (digest, diff) = (digest.to_string(), diff.to_string());
    let work = move || {
        let file = std::fs::File::open(&path)
            .map_err(|source| Error::Io { context: path.display().to_string(), source })?;
        store.add_layer(file, Some(&digest), &diff)
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::Failed(format!("image store: {e}")))?
}
