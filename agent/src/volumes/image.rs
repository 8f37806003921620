//! image: the files of an image (KEP-4639). The folder is made with the other volumes; the image comes, and is mounted
//! on it, when the first container that has it starts: only then it is said in a container's status what is wrong.
//!
//! ```text
//! pods/<uid>/volumes/kubernetes.io~image/<name>/mount    the files
//!                                               image    which image it is, from before it is mounted
//! ```

use super::{Made, Setup, VolumeError, VolumeManager, VolumePlugin, at, blocking, mounts};
use crate::images::ImageId;
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use windlass_core::apis::core::v1::Volume;

const KIND: &str = "image";

pub(super) struct Image;

#[async_trait]
impl VolumePlugin for Image {
    fn claims(&self, volume: &Volume) -> bool {
        volume.image.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        let path = setup.dir(KIND).join("mount");
        let made = path.clone();
        blocking(move || mounts::make_dir(&made)).await?;
        Ok(Made { path, read_only: true, renew_at: None })
    }
}

impl VolumeManager {
    /// The image that a volume of a pod shows; `None` before it was mounted.
    pub(crate) fn image_of(&self, uid: &str, volume: &str) -> Result<Option<ImageId>, VolumeError> {
        read(&folder(self, uid).join(volume))
    }

    /// Mounts an image as a volume of a pod. Does nothing when it is mounted.
    pub(crate) async fn mount_image(
        &self,
        uid: &str,
        volume: &str,
        image: &ImageId,
    ) -> Result<(), VolumeError> {
        let folder = folder(self, uid).join(volume);
        if read(&folder)?.as_ref() != Some(image) {
            let (place, text) = (folder.clone(), image.0.clone());
            blocking(move || write(&place, &text)).await?;
        }
        let mounted = self.runtime.mount_image(image, &folder.join("mount")).await;
        mounted.map_err(|error| VolumeError::Unmet(error.to_string()))
    }

    /// The images that pods have as volumes.
    pub(crate) fn images_in_use(&self) -> Result<BTreeSet<ImageId>, VolumeError> {
        let mut all = BTreeSet::new();
        for uid in mounts::names(&self.config.root_dir.join("pods"))? {
            let folder = folder(self, &uid);
            for volume in mounts::names(&folder)? {
                all.extend(read(&folder.join(volume))?);
            }
        }
        Ok(all)
    }

    /// Mounts all again: what an earlier agent, or the machine before it started anew, had mounted.
    pub(crate) async fn remount_images(&self) -> Result<(), VolumeError> {
        for uid in mounts::names(&self.config.root_dir.join("pods"))? {
            for volume in mounts::names(&folder(self, &uid))? {
                let Some(image) = self.image_of(&uid, &volume)? else { continue };
                if let Err(error) = self.mount_image(&uid, &volume, &image).await {
                    tracing::warn!(uid, volume, %error, "the image of a volume can't be mounted again");
                }
            }
        }
        Ok(())
    }

    /// Takes the images of a pod's volumes away.
    pub(super) async fn unmount_images(&self, uid: &str) -> Result<(), VolumeError> {
        let folder = folder(self, uid);
        for volume in mounts::names(&folder)? {
            let unmounted = self.runtime.unmount_image(&folder.join(volume).join("mount")).await;
            unmounted.map_err(|error| VolumeError::Unmet(error.to_string()))?;
        }
        Ok(())
    }
}

fn folder(manager: &VolumeManager, uid: &str) -> PathBuf {
    manager.config.pod_dir(uid).join("volumes").join(format!("kubernetes.io~{KIND}"))
}

fn read(folder: &Path) -> Result<Option<ImageId>, VolumeError> {
    let path = folder.join(KIND);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(ImageId(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&path)(error)),
    }
}

fn write(folder: &Path, text: &str) -> Result<(), VolumeError> {
    mounts::make_dir(folder)?;
    let (path, new) = (folder.join(KIND), folder.join("image.new"));
    fs::write(&new, text).map_err(at(&new))?;
    fs::rename(&new, &path).map_err(at(&path))
}
