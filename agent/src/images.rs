//! Images on the node.

pub(crate) mod archive;
pub(crate) mod blob;
pub(crate) mod layer;
pub(crate) mod pull;
pub(crate) mod reference;
pub(crate) mod registry;
pub(crate) mod resolve;
pub mod store;

pub(crate) use reference::{as_id, normalise};
pub use registry::Registries;

use crate::runtime::{Error, Result};
use async_trait::async_trait;
use std::path::{Path, PathBuf};

/// An image on this node: the digest of its configuration, `sha256:…`.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct ImageId(pub String);

/// An image as the node has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageStatus {
    /// Its id.
    pub id: ImageId,
    /// Names it goes by, `docker.io/library/busybox:1`.
    pub tags: Vec<String>,
    /// Names with the manifest's digest, `docker.io/library/busybox@sha256:…`.
    pub digests: Vec<String>,
    /// Bytes on disk.
    pub size: u64,
    /// The user its programs run as, as the image says it (`1000`, `nobody`, empty).
    pub user: String,
    /// Stays, also when nothing uses it and its disk is full.
    pub pinned: bool,
}

/// Name and password for a registry. `Debug` shows neither.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The name.
    pub username: String,
    /// The password or token.
    pub password: String,
}

/// Keeps images.
#[async_trait]
pub trait Images: Send + Sync {
    /// The image that goes by `reference` (short names mean `docker.io/library/…:latest`), if it is here.
    ///
    /// # Errors
    /// [`crate::runtime::Error::Invalid`] when the reference can't be parsed.
    async fn image_status(&self, reference: &str) -> Result<Option<ImageStatus>>;
    /// Fetches it from its registry. Layers that are here are not fetched again; nothing is visible until all are verified.
    async fn pull_image(&self, reference: &str, auth: Option<Credentials>) -> Result<ImageId>;
    /// Takes the images of an OCI image archive (a tar, `docker save`'s layout too) and returns their names.
    async fn import_images(&self, archive: &Path) -> Result<Vec<String>>;
    /// All images.
    async fn list_images(&self) -> Result<Vec<ImageStatus>>;
    /// Forgets a name or id, and the layers no other image has. Does nothing when it is unknown.
    async fn remove_image(&self, reference: &str) -> Result<()>;
    /// Says whether an image stays when nothing uses it and its disk is full. It may be said again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not here; [`Error::Invalid`] where images can't be pinned.
    async fn pin_image(&self, reference: &str, pinned: bool) -> Result<()> {
        let _ = pinned;
        Err(Error::Invalid(format!("image {reference} can't be pinned by this runtime")))
    }
    /// Shows an image's files read-only on a folder, made when missing, and keeps its layers until they are taken away
    /// there. Does nothing but keep them when they are shown there already, by an earlier life of the agent too.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not here; [`Error::Invalid`] where images can't be volumes.
    async fn mount_image(&self, id: &ImageId, target: &Path) -> Result<()> {
        let _ = target;
        Err(Error::Invalid(format!("image {} can't be a volume with this runtime", id.0)))
    }
    /// Takes away what [`Images::mount_image`] shows on a folder. Does nothing when that is nothing.
    async fn unmount_image(&self, target: &Path) -> Result<()> {
        let _ = target;
        Ok(())
    }
    /// The folder of the node that images lie in. Without one no image is removed for want of room.
    async fn image_root(&self) -> Option<PathBuf> {
        None
    }
}

// === impl Credentials ===

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}
