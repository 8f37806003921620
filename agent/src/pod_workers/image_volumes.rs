//! Gets the images that a container has as volumes (KEP-4639). What is wrong with one keeps the container waiting, as
//! its own image would.

use super::effects::Effect;
use super::images;
use super::memory::Waiting;
use super::start::Start;
use crate::pod::PodExt;
use windlass_core::apis::core::v1::{Container, ImageVolumeSource};
use windlass_core::events::EventType::Warning;

/// Mounts those that are not mounted.
pub(super) async fn mount(
    effect: &Effect,
    start: &Start,
    container: &Container,
) -> Result<(), Waiting> {
    let has = |name: &str| container.volume_mounts.iter().flatten().any(|m| m.name == name);
    for volume in effect.pod.pod_spec().volumes.iter().flatten() {
        if let Some(source) = volume.image.as_ref().filter(|_| has(&volume.name)) {
            mount_one(effect, start, &volume.name, source).await?;
        }
    }
    Ok(())
}

async fn mount_one(
    effect: &Effect,
    start: &Start,
    volume: &str,
    source: &ImageVolumeSource,
) -> Result<(), Waiting> {
    let (volumes, uid) = (&effect.host.volumes, effect.pod.uid());
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("failed to mount the image of volume \"{volume}\": {error}");
        start.event(effect, Warning, "Failed", &format!("Error: {message}"));
        start.waiting("CreateContainerError", message, effect)
    };
    // A pod has one and the same as long as it lives.
    if let Some(image) = volumes.image_of(uid, volume).map_err(|e| failed(&e))? {
        return volumes.mount_image(uid, volume, &image).await.map_err(|e| failed(&e));
    }
    let reference = source.reference.as_deref().unwrap_or_default();
    if reference.is_empty() {
        return Err(failed(&"it names no image"));
    }
    let image = images::ensure(effect, start, reference, source.pull_policy.as_deref()).await?;
    volumes.mount_image(uid, volume, &image.id).await.map_err(|e| failed(&e))
}
