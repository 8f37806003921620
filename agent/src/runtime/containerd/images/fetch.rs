//! Where images come from: a registry, or an archive.

use super::super::Inner;
use super::super::content::{self, Blob};
use super::add::{Incoming, Lease};
use crate::images::archive::{ArchiveFile, Found};
use crate::images::blob::{HashingReader, digest_of, random_hex};
use crate::images::registry::{Found as Manifest, Source};
use crate::images::{Credentials, ImageId, reference};
use crate::runtime::linux::{lost, state};
use crate::runtime::{Error, Result};
use containerd_client::types::Descriptor;
use oci_client::Reference;
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor};
use serde_json::json;
use std::path::Path;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// containerd looks into blobs of this kind to see whether they are compressed.
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// Fetches an image and makes it visible once all of it is verified.
pub(in super::super) async fn pull(
    inner: &Inner,
    name: &str,
    auth: Option<Credentials>,
) -> Result<ImageId> {
    let image = reference::parse(name)?;
    let lease = Lease::take(inner).await?;
    let pulled = pull_with(inner, &lease, &image, auth).await;
    // It expires by itself; what was asked for is there or not.
    if let Err(e) = lease.give_back().await {
        tracing::debug!(error = %e, "could not give a lease back");
    }
    pulled
}

async fn pull_with(
    inner: &Inner,
    lease: &Lease,
    image: &Reference,
    auth: Option<Credentials>,
) -> Result<ImageId> {
    let source = inner.options.registries.source(image, auth).await?;
    let Manifest { manifest, digest, config } = source.find().await?;
    // The bytes themselves: of an index it was one of the manifests.
    let bytes = source.manifest(&digest).await?;
    let mut layers = Vec::new();
    for layer in &manifest.layers {
        tracing::info!(image = image.whole(), layer = layer.digest, bytes = layer.size, "pulling");
        layers.push(fetch(inner, lease, &source, layer).await?);
    }
    let mut names = vec![reference::with_digest(image, &digest)];
    names.extend(image.digest().is_none().then(|| image.whole()));
    let media_type = manifest.media_type.unwrap_or_else(|| OCI_IMAGE_MEDIA_TYPE.into());
    let incoming =
        Incoming { names, manifest: bytes, media_type, config: config.into_bytes(), layers };
    let id = incoming.add(inner, lease).await?;
    tracing::info!(image = image.whole(), id = id.0, "pulled image");
    Ok(id)
}

/// Brings one layer into the store.
async fn fetch(
    inner: &Inner,
    lease: &Lease,
    source: &Source,
    layer: &OciDescriptor,
) -> Result<Descriptor> {
    let descriptor = Descriptor {
        media_type: layer.media_type.clone(),
        digest: layer.digest.clone(),
        size: layer.size,
        ..Descriptor::default()
    };
    if content::has(&lease.connection, &layer.digest).await? {
        return Ok(descriptor);
    }
    let path = inner.options.state_dir.join("tmp").join(random_hex());
    let fetched = match source.download(layer, &path).await {
        Ok(()) => keep(lease, &descriptor, &path).await,
        failed => failed,
    };
    state::remove(&path)?;
    fetched.map(|()| descriptor)
}

async fn keep(lease: &Lease, layer: &Descriptor, path: &Path) -> Result<()> {
    let file = std::fs::File::open(path).map_err(|e| state::io_error(path, e))?;
    let size = file.metadata().map_err(|e| state::io_error(path, e))?.len();
    content::add(&lease.connection, Blob { digest: layer.digest.clone(), size, data: file }).await
}

/// Takes the images of an archive.
pub(in super::super) async fn import(inner: &Inner, archive: &Path) -> Result<Vec<String>> {
    let (path, scratch) = (archive.to_path_buf(), inner.options.state_dir.join("tmp"));
    let open = move || {
        let archive = ArchiveFile::open(&path, &scratch)?;
        let images = archive.images()?;
        Ok((archive, images))
    };
    let (archive, images) = tokio::task::spawn_blocking(open).await.map_err(lost)??;
    let lease = Lease::take(inner).await?;
    let mut names = Vec::new();
    let mut failed = Ok(());
    for image in images {
        let named = image.names.clone();
        match import_one(inner, &lease, &archive, image).await {
            Ok(id) if named.is_empty() => names.push(id.0),
            Ok(_) => names.extend(named),
            Err(e) => {
                failed = Err(e);
                break;
            }
        }
    }
    lease.give_back().await?;
    failed.map(|()| names)
}

async fn import_one(
    inner: &Inner,
    lease: &Lease,
    archive: &ArchiveFile,
    image: Found,
) -> Result<ImageId> {
    let is = digest_of(&image.config);
    if let Some(wanted) = image.config_digest.filter(|d| *d != is) {
        return Err(Error::Invalid(format!("digest mismatch: expected {wanted}, got {is}")));
    }
    let mut layers = Vec::new();
    for layer in image.layers {
        let blob = archive.read(&layer.member)?;
        let size = blob.left();
        let digest = match layer.digest {
            Some(digest) => digest,
            None => {
                let data = archive.read(&layer.member)?;
                let hash = move || HashingReader::new(data).finish();
                let digest = tokio::task::spawn_blocking(hash).await.map_err(lost)?;
                digest.map_err(|e| state::io_error(Path::new(&layer.member), e))?
            }
        };
        let media_type = layer.media_type.unwrap_or_else(|| LAYER.into());
        let descriptor = Descriptor {
            media_type,
            digest: digest.clone(),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            ..Descriptor::default()
        };
        if !content::has(&lease.connection, &digest).await? {
            content::add(&lease.connection, Blob { digest, size, data: blob }).await?;
        }
        layers.push(descriptor);
    }
    let manifest = match image.manifest_bytes {
        Some(bytes) => bytes,
        None => manifest_of(&image.config, &layers)?,
    };
    let media_type = OCI_IMAGE_MEDIA_TYPE.into();
    let names = image.names;
    Incoming { names, manifest, media_type, config: image.config, layers }.add(inner, lease).await
}

/// A manifest for an image that came without one.
fn manifest_of(config: &[u8], layers: &[Descriptor]) -> Result<Vec<u8>> {
    let descriptor = |kind: &str, digest: &str, size: i64| json!({ "mediaType": kind, "digest": digest, "size": size });
    let layers: Vec<_> =
        layers.iter().map(|l| descriptor(&l.media_type, &l.digest, l.size)).collect();
    let size = i64::try_from(config.len()).unwrap_or(i64::MAX);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE_MEDIA_TYPE,
        "config": descriptor(CONFIG, &digest_of(config), size),
        "layers": layers,
    });
    serde_json::to_vec(&manifest).map_err(|e| Error::Failed(format!("image manifest: {e}")))
}
