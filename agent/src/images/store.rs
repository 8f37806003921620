//! Keeps images in a folder, by content.
//!
//! ```text
//! index.json            which images there are, replaced atomically
//! blobs/sha256/<hex>    configurations
//! layers/<hex>/         unpacked layers, named by the digest of their tar, shared by images
//! tmp/                  what is being unpacked; emptied when the first process opens the store
//! *.lock                see `shared`
//! ```
//! A layer that an image or a pin (a container) has stays; the others are removed with the last
//! image that names them.

mod inner;
mod shared;
#[cfg(test)]
mod tests;

pub(crate) use self::inner::remove_tree;
use self::shared::{Guard, Shared, Stamp};
use super::archive::{ArchiveFile, Found};
use super::{Credentials, ImageId, ImageStatus, Images, Registries, blob, layer, reference};
use crate::runtime::{Error, Result};
use async_trait::async_trait;
use oci_spec::image::ImageConfiguration;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Images in a folder. Cheap to clone; all clones are one store. Several processes may have it open; what one
/// adds the others see.
#[derive(Clone)]
pub struct ImageStore {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    root: PathBuf,
    pub(super) registries: Registries,
    shared: Shared,
    state: Mutex<State>,
    /// One import or pull commits at a time.
    pub(super) writer: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    images: BTreeMap<String, Record>,
    /// Of the index that was read last.
    stamp: Stamp,
    pins: HashMap<String, usize>,
}

/// An image as the index has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) tags: BTreeSet<String>,
    pub(crate) digests: BTreeSet<String>,
    pub(crate) size: u64,
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) pinned: bool,
    /// Digests of the layers' tars, lowest first.
    pub(crate) layers: Vec<String>,
}

/// Keeps an image's layers from being removed, as long as it lives.
pub struct Pin {
    inner: Arc<Inner>,
    layers: Vec<String>,
    adding: Option<Guard>,
}

// === impl ImageStore ===

impl ImageStore {
    /// Opens or makes a store.
    ///
    /// # Errors
    /// When the folder can't be made or its index can't be read.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        Self::open_with(root, Registries::default())
    }

    /// Opens or makes a store that pulls as is said of registries.
    ///
    /// # Errors
    /// As [`ImageStore::open`].
    pub fn open_with(root: impl Into<PathBuf>, registries: Registries) -> Result<Self> {
        // Layers are mounted by processes with working directories of their own.
        let root = root.into();
        let root = std::path::absolute(&root).map_err(|e| io_error(&root, e))?;
        let tmp = root.join("tmp");
        for folder in [root.join("blobs/sha256"), root.join("layers"), tmp.clone()] {
            fs::create_dir_all(&folder).map_err(|e| io_error(&folder, e))?;
        }
        let shared = Shared::open(&root)?;
        if shared.is_owner() && shared.nobody_adds().is_some() {
            inner::empty(&tmp)?;
        }
        let (state, writer) = (Mutex::default(), tokio::sync::Mutex::new(()));
        let inner = Inner { root, registries, shared, state, writer };
        drop(inner.state()?);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The image's configuration.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the image is not here.
    pub fn config(&self, id: &ImageId) -> Result<ImageConfiguration> {
        let hex = blob::hex_of(&id.0).ok_or_else(|| Error::NotFound(format!("image {}", id.0)))?;
        let path = self.inner.root.join("blobs/sha256").join(hex);
        let bytes = fs::read(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::NotFound(format!("image {}", id.0)),
            _ => io_error(&path, e),
        })?;
        serde_json::from_slice(&bytes)
            .map_err(|e| Error::Failed(format!("configuration of image {}: {e}", id.0)))
    }

    /// The folders of an image's layers, lowest first, and a pin that keeps them.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the image is not here.
    pub fn layers(&self, id: &ImageId) -> Result<(Vec<PathBuf>, Pin)> {
        let mut state = self.inner.state()?;
        let record = state.images.get(&id.0);
        let layers =
            record.ok_or_else(|| Error::NotFound(format!("image {}", id.0)))?.layers.clone();
        Ok((self.inner.folders(&layers), self.inner.pin(&mut state, layers, None)))
    }

    /// Keeps layers by the folders [`ImageStore::layers`] gave in an earlier life of the process.
    pub fn pin(&self, folders: &[PathBuf]) -> Pin {
        let layers = folders.iter().filter_map(|f| f.file_name());
        let layers = layers.map(|n| format!("sha256:{}", n.to_string_lossy())).collect();
        self.inner.pin(&mut self.inner.state.lock(), layers, None)
    }

    /// Keeps layers that are being added, before an image names them.
    pub(super) fn reserve(&self, diffs: &[String]) -> Result<Pin> {
        let adding = self.inner.shared.adding()?;
        Ok(self.inner.pin(&mut self.inner.state.lock(), diffs.to_vec(), Some(adding)))
    }

    /// Unpacks a layer unless it is here, and checks it. `diff` is the digest its tar must have,
    /// `digest` that of the blob.
    pub(super) fn add_layer(
        &self,
        blob: impl Read,
        digest: Option<&str>,
        diff: &str,
    ) -> Result<()> {
        let target = self.inner.folder(diff)?;
        if target.exists() {
            return Ok(());
        }
        let tmp = self.scratch();
        let unpacked = layer::unpack(blob, &tmp)
            .map_err(|e| Error::Failed(format!("failed to unpack layer {diff}: {e}")))
            .and_then(|(blob_is, diff_is)| {
                check(digest.unwrap_or(&blob_is), &blob_is)?;
                check(diff, &diff_is)
            });
        if let Err(e) = unpacked {
            remove_tree(&tmp)?;
            return Err(e);
        }
        fs::rename(&tmp, &target).map_err(|e| io_error(&target, e))
    }

    /// Whether a layer is here, unpacked and checked.
    pub(super) fn has_layer(&self, diff: &str) -> Result<bool> {
        Ok(self.inner.folder(diff)?.exists())
    }

    /// Makes an image visible, all its layers being here. Names it has move to it from other images.
    pub(super) fn commit(
        &self,
        config: &[u8],
        names: &[String],
        digests: &[String],
        size: u64,
    ) -> Result<ImageId> {
        let id = blob::digest_of(config);
        let parsed = parse_config(config)?;
        let hex = blob::hex_of(&id).unwrap_or_default();
        let _writing = self.inner.shared.writing()?;
        let mut state = self.inner.state()?;
        write_atomically(&self.inner.root.join("blobs/sha256").join(hex), config)?;
        for record in state.images.values_mut() {
            record.tags.retain(|t| !names.contains(t));
        }
        let record = state.images.entry(id.clone()).or_default();
        record.tags.extend(names.iter().cloned());
        record.digests.extend(digests.iter().cloned());
        record.size = record.size.max(size);
        record.user = user_of(&parsed);
        record.layers = parsed.rootfs().diff_ids().clone();
        self.inner.save(&mut state)?;
        Ok(ImageId(id))
    }

    /// A path for something being made.
    pub(super) fn scratch(&self) -> PathBuf {
        self.inner.root.join("tmp").join(blob::random_hex())
    }

    fn import(&self, archive: &Path) -> Result<Vec<String>> {
        let archive = ArchiveFile::open(archive, &self.inner.root.join("tmp"))?;
        let mut names = Vec::new();
        for image in archive.images()? {
            let id = self.import_one(&archive, &image)?;
            if image.names.is_empty() {
                names.push(id.0);
            } else {
                names.extend(image.names);
            }
        }
        Ok(names)
    }

    fn import_one(&self, archive: &ArchiveFile, image: &Found) -> Result<ImageId> {
        if let Some(digest) = &image.config_digest {
            check(digest, &blob::digest_of(&image.config))?;
        }
        let config = parse_config(&image.config)?;
        let diffs = config.rootfs().diff_ids();
        if diffs.len() != image.layers.len() {
            return Err(Error::Invalid(format!(
                "the image has {} layers and its configuration {}",
                image.layers.len(),
                diffs.len()
            )));
        }
        let _reserved = self.reserve(diffs)?;
        let mut size = 0;
        for (layer, diff) in image.layers.iter().zip(diffs) {
            let blob = archive.read(&layer.member)?;
            size += blob.left();
            self.add_layer(blob, layer.digest.as_deref(), diff)?;
        }
        let digests = digests_of(&image.names, image.manifest.as_deref());
        self.commit(&image.config, &image.names, &digests, size)
    }

    fn find(&self, name: &str) -> Result<Option<ImageStatus>> {
        let state = self.inner.state()?;
        if let Some(id) = reference::as_id(name) {
            return Ok(state.images.get(&id).map(|r| status(&id, r)));
        }
        let parsed = reference::parse(name)?;
        let full = parsed.whole();
        let by_digest = parsed.digest().map(|d| reference::with_digest(&parsed, d));
        let found = state.images.iter().find(|(_, r)| match &by_digest {
            Some(digest) => r.digests.contains(digest),
            None => r.tags.contains(&full),
        });
        Ok(found.map(|(id, r)| status(id, r)))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let Some(found) = self.find(name)? else { return Ok(()) };
        let _writing = self.inner.shared.writing()?;
        let mut state = self.inner.state()?;
        if reference::as_id(name).is_some() {
            state.images.remove(&found.id.0);
        } else if let Some(record) = state.images.get_mut(&found.id.0) {
            let full = reference::normalise(name)?;
            record.tags.remove(&full);
            record.digests.remove(&full);
            if record.tags.is_empty() {
                state.images.remove(&found.id.0);
            }
        }
        self.inner.save(&mut state)?;
        self.inner.collect(&state)
    }

    fn pin_record(&self, name: &str, pinned: bool) -> Result<()> {
        let none = || Error::NotFound(format!("image {name}"));
        let found = self.find(name)?.ok_or_else(none)?;
        let _writing = self.inner.shared.writing()?;
        let mut state = self.inner.state()?;
        state.images.get_mut(&found.id.0).ok_or_else(none)?.pinned = pinned;
        self.inner.save(&mut state)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || work(&this))
            .await
            .map_err(|e| Error::Failed(format!("image store: {e}")))?
    }
}

#[async_trait]
impl Images for ImageStore {
    async fn image_status(&self, reference: &str) -> Result<Option<ImageStatus>> {
        self.find(reference)
    }

    async fn pull_image(&self, reference: &str, auth: Option<Credentials>) -> Result<ImageId> {
        super::pull::pull(self, reference, auth).await
    }

    async fn import_images(&self, archive: &Path) -> Result<Vec<String>> {
        let _one = self.inner.writer.lock().await;
        let archive = archive.to_path_buf();
        self.blocking(move |store| store.import(&archive)).await
    }

    async fn list_images(&self) -> Result<Vec<ImageStatus>> {
        let state = self.inner.state()?;
        Ok(state.images.iter().map(|(id, r)| status(id, r)).collect())
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        let _one = self.inner.writer.lock().await;
        let name = reference.to_string();
        self.blocking(move |store| store.remove(&name)).await
    }

    async fn pin_image(&self, reference: &str, pinned: bool) -> Result<()> {
        let _one = self.inner.writer.lock().await;
        let name = reference.to_string();
        self.blocking(move |store| store.pin_record(&name, pinned)).await
    }

    async fn image_root(&self) -> Option<PathBuf> {
        Some(self.inner.root.clone())
    }
}

fn digests_of(names: &[String], manifest: Option<&str>) -> Vec<String> {
    let Some(manifest) = manifest else { return Vec::new() };
    let parsed = names.iter().filter_map(|n| reference::parse(n).ok());
    parsed.map(|r| reference::with_digest(&r, manifest)).collect()
}

fn parse_config(bytes: &[u8]) -> Result<ImageConfiguration> {
    serde_json::from_slice(bytes)
        .map_err(|e| Error::Invalid(format!("malformed image configuration: {e}")))
}

fn user_of(config: &ImageConfiguration) -> String {
    let config = config.config().as_ref();
    config.and_then(|c| c.user().clone()).unwrap_or_default()
}

fn status(id: &str, record: &Record) -> ImageStatus {
    ImageStatus {
        id: ImageId(id.to_string()),
        tags: record.tags.iter().cloned().collect(),
        digests: record.digests.iter().cloned().collect(),
        size: record.size,
        user: record.user.clone(),
        pinned: record.pinned,
    }
}

fn check(wanted: &str, is: &str) -> Result<()> {
    if wanted == is {
        return Ok(());
    }
    Err(Error::Invalid(format!("digest mismatch: expected {wanted}, got {is}")))
}

/// Replaces a file so that a reader, also one after a crash, sees the old content or the new.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = fs::File::create(&tmp)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_data()?;
        fs::rename(&tmp, path)
    };
    write().map_err(|e| io_error(path, e))
}

/// An error about a path.
pub(crate) fn io_error(path: &Path, source: impl Into<io::Error>) -> Error {
    Error::Io { context: path.display().to_string(), source: source.into() }
}
