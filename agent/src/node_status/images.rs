//! The images that Node status lists: the largest first.

use crate::images::ImageStatus;
use windlass_core::apis::core::v1::ContainerImage;

/// No more are listed.
const MOST: usize = 50;

pub(super) fn listed(mut images: Vec<ImageStatus>) -> Vec<ContainerImage> {
    images.sort_by_key(|image| std::cmp::Reverse(image.size));
    images.truncate(MOST);
    images
        .into_iter()
        .map(|image| ContainerImage {
            size_bytes: i64::try_from(image.size).ok(),
            names: Some(image.digests.into_iter().chain(image.tags).collect()),
        })
        .collect()
}
