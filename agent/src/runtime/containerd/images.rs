//! Images as containerd has them: names, each of which leads to a manifest or an index in the content store.

mod add;
mod fetch;

pub(super) use fetch::{import, pull};

use super::client::{Connection, call, call_unless};
use super::{Inner, content};
use crate::images::{ImageId, ImageStatus, normalise, reference};
use crate::runtime::{Error, Result};
use containerd_client::services::v1::{
    DeleteImageRequest, Image, ListImagesRequest, UpdateImageRequest,
};
use containerd_client::types::Descriptor;
use oci_spec::image::{Arch, ImageConfiguration, ImageIndex, ImageManifest, Os};
use prost_types::FieldMask;
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::Code;

/// Marks names of images that must stay, as containerd's own CRI does.
const PINNED: (&str, &str) = ("io.cri-containerd.pinned", "pinned");
/// Deepest nesting of indexes.
const MAX_DEPTH: usize = 4;

/// What an image is made of.
pub(super) struct Known {
    pub(super) id: ImageId,
    /// The digest of its manifest.
    manifest: String,
    pub(super) layers: Vec<Descriptor>,
    pub(super) config: ImageConfiguration,
    size: u64,
}

// === impl Known ===

impl Known {
    /// The digests of the layers' tars.
    pub(super) fn diffs(&self) -> &[String] {
        self.config.rootfs().diff_ids()
    }

    fn status(&self) -> ImageStatus {
        let config = self.config.config().as_ref();
        ImageStatus {
            id: self.id.clone(),
            size: self.size,
            user: config.and_then(|c| c.user().clone()).unwrap_or_default(),
            ..ImageStatus::default()
        }
    }
}

/// All images, with their names.
pub(super) async fn list(inner: &Inner) -> Result<Vec<ImageStatus>> {
    let mut found: BTreeMap<ImageId, ImageStatus> = BTreeMap::new();
    for image in names(inner).await? {
        let target = image.target.unwrap_or_default().digest;
        let Some(known) = known(inner, &target).await? else { continue };
        let status = found.entry(known.id.clone()).or_insert_with(|| known.status());
        note(status, &image.name, &known.manifest);
        status.pinned |= image.labels.get(PINNED.0).is_some_and(|label| label == PINNED.1);
    }
    Ok(found.into_values().collect())
}

/// Adds one of an image's names to what is said of it.
fn note(status: &mut ImageStatus, name: &str, manifest: &str) {
    let Ok(parsed) = reference::parse(name) else { return };
    if crate::images::as_id(name).is_some() {
        return;
    }
    let digest = reference::with_digest(&parsed, manifest);
    if parsed.digest().is_none() {
        status.tags.push(name.into());
    }
    if !status.digests.contains(&digest) {
        status.digests.push(digest);
    }
}

/// The image that goes by a name or id.
pub(super) async fn status(inner: &Inner, name: &str) -> Result<Option<ImageStatus>> {
    let id = crate::images::as_id(name);
    let full = if id.is_none() { normalise(name)? } else { String::new() };
    let fits = |s: &ImageStatus| match &id {
        Some(id) => s.id.0 == *id,
        None => s.tags.contains(&full) || s.digests.contains(&full),
    };
    if let Some(found) = list(inner).await?.into_iter().find(fits) {
        return Ok(Some(found));
    }
    // `name:tag@digest` is found by the digest alone.
    let Some(parsed) = id.is_none().then(|| reference::parse(name)).transpose()? else {
        return Ok(None);
    };
    let Some(digest) = parsed.digest().map(|d| reference::with_digest(&parsed, d)) else {
        return Ok(None);
    };
    Ok(list(inner).await?.into_iter().find(|s| s.digests.contains(&digest)))
}

/// What the image of this id is made of.
pub(super) async fn by_id(inner: &Inner, id: &ImageId) -> Result<Arc<Known>> {
    let cached = inner.images.lock().values().find(|k| k.id == *id).cloned();
    if let Some(known) = cached {
        return Ok(known);
    }
    for image in names(inner).await? {
        let target = image.target.unwrap_or_default().digest;
        if let Some(known) = known(inner, &target).await?.filter(|k| k.id == *id) {
            return Ok(known);
        }
    }
    Err(Error::NotFound(format!("image {}", id.0)))
}

/// Forgets a name or an id; containerd then collects what no other image or container has.
pub(super) async fn remove(inner: &Inner, name: &str) -> Result<()> {
    let Some(found) = status(inner, name).await? else { return Ok(()) };
    let by_id = crate::images::as_id(name).is_some();
    let full = if by_id { String::new() } else { normalise(name)? };
    let last = by_id || found.tags.iter().all(|t| *t == full);
    let mut gone = Vec::new();
    for image in names(inner).await? {
        let target = image.target.clone().unwrap_or_default().digest;
        let mine = known(inner, &target).await?.is_some_and(|k| k.id == found.id);
        if mine && (last || image.name == full) {
            gone.push(image);
        }
    }
    let count = gone.len();
    for (n, image) in gone.into_iter().enumerate() {
        // With the last one the garbage is collected before the answer.
        let request = DeleteImageRequest { name: image.name, sync: n + 1 == count, target: None };
        let mut client = inner.connection.images();
        call_unless(Code::NotFound, "removing an image", client.delete(request)).await?;
    }
    if last {
        inner.images.lock().retain(|_, k| k.id != found.id);
    }
    Ok(())
}

/// Says of all names of an image whether it stays.
pub(super) async fn pin(inner: &Inner, name: &str, pinned: bool) -> Result<()> {
    let found = status(inner, name).await?;
    let found = found.ok_or_else(|| Error::NotFound(format!("image {name}")))?;
    for mut image in names(inner).await? {
        let target = image.target.clone().unwrap_or_default().digest;
        if known(inner, &target).await?.is_none_or(|known| known.id != found.id) {
            continue;
        }
        // An empty label is taken away.
        let label = if pinned { PINNED.1 } else { "" };
        image.labels.insert(PINNED.0.into(), label.into());
        let paths = vec![format!("labels.{}", PINNED.0)];
        let request = UpdateImageRequest {
            image: Some(image),
            update_mask: Some(FieldMask { paths }),
            ..UpdateImageRequest::default()
        };
        let mut client = inner.connection.images();
        call("pinning an image", client.update(request)).await?;
    }
    Ok(())
}

async fn names(inner: &Inner) -> Result<Vec<Image>> {
    let mut client = inner.connection.images();
    let request = ListImagesRequest { filters: Vec::new() };
    Ok(call("listing images", client.list(request)).await?.images)
}

/// What is behind a digest; `None` when parts are missing, or it is not for this machine.
async fn known(inner: &Inner, target: &str) -> Result<Option<Arc<Known>>> {
    if let Some(known) = inner.images.lock().get(target).cloned() {
        return Ok(Some(known));
    }
    match resolve(&inner.connection, target).await {
        Ok(Some(known)) => {
            let known = Arc::new(known);
            inner.images.lock().insert(target.into(), known.clone());
            Ok(Some(known))
        }
        Ok(None) | Err(Error::NotFound(_)) => Ok(None),
        Err(Error::Invalid(words)) => {
            tracing::debug!(target, words, "an image of no use here");
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

async fn resolve(connection: &Connection, target: &str) -> Result<Option<Known>> {
    let mut digest = target.to_string();
    for _ in 0..MAX_DEPTH {
        let bytes = content::read(connection, &digest).await?;
        if let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&bytes) {
            return describe(connection, digest, &manifest).await.map(Some);
        }
        let index: ImageIndex = serde_json::from_slice(&bytes)
            .map_err(|e| Error::Invalid(format!("malformed image manifest {digest}: {e}")))?;
        let fits = index.manifests().iter().find(|d| {
            d.platform()
                .as_ref()
                .is_none_or(|p| *p.os() == Os::Linux && *p.architecture() == Arch::default())
        });
        let Some(fits) = fits else { return Ok(None) };
        digest = fits.digest().to_string();
    }
    Err(Error::Invalid("the image's indexes are nested too deeply".into()))
}

async fn describe(
    connection: &Connection,
    digest: String,
    manifest: &ImageManifest,
) -> Result<Known> {
    let id = manifest.config().digest().to_string();
    let config = content::read(connection, &id).await?;
    let config: ImageConfiguration = serde_json::from_slice(&config)
        .map_err(|e| Error::Invalid(format!("malformed image configuration: {e}")))?;
    if config.rootfs().diff_ids().len() != manifest.layers().len() {
        return Err(Error::Invalid("the image's layers are not those of its configuration".into()));
    }
    let layers: Vec<Descriptor> = manifest
        .layers()
        .iter()
        .map(|d| Descriptor {
            media_type: d.media_type().to_string(),
            digest: d.digest().to_string(),
            size: i64::try_from(d.size()).unwrap_or(i64::MAX),
            ..Descriptor::default()
        })
        .collect();
    let size = manifest.config().size() + manifest.layers().iter().map(|d| d.size()).sum::<u64>();
    Ok(Known { id: ImageId(id), manifest: digest, layers, config, size })
}
