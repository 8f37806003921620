//! Gets an image for a container ("Images", "Image pull policy").

use super::effects::Effect;
use super::memory::Waiting;
use super::pull_secrets;
use super::start::Start;
use crate::images::ImageStatus;
use windlass_core::events::EventType::{Normal, Warning};

/// The image, fetched if the policy says so.
pub(super) async fn ensure(
    effect: &Effect,
    start: &Start,
    image: &str,
    policy: Option<&str>,
) -> Result<ImageStatus, Waiting> {
    let present = match effect.host.runtime.image_status(image).await {
        Ok(present) => present,
        Err(error) => {
            let message = format!("Failed to apply default image tag \"{image}\": {error}");
            start.event(effect, Warning, "InspectFailed", &message);
            start.event(effect, Warning, "Failed", "Error: InvalidImageName");
            return Err(start.waiting("InvalidImageName", message, effect));
        }
    };
    let policy = policy.unwrap_or_else(|| default_policy(image));
    match (policy, present) {
        ("Always", _) | ("IfNotPresent", None) => pull(effect, start, image).await,
        ("Never", None) => {
            let message =
                format!("Container image \"{image}\" is not present with pull policy of Never");
            start.event(effect, Warning, "ErrImageNeverPull", &message);
            start.event(effect, Warning, "Failed", "Error: ErrImageNeverPull");
            Err(start.waiting("ErrImageNeverPull", message, effect))
        }
        (_, Some(present)) => {
            let message = format!("Container image \"{image}\" already present on machine");
            start.event(effect, Normal, "Pulled", &message);
            Ok(present)
        }
        (_, None) => pull(effect, start, image).await,
    }
}

fn default_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    let tagged = name.contains(':') && !name.ends_with(":latest") || image.contains('@');
    if tagged { "IfNotPresent" } else { "Always" }
}

async fn pull(effect: &Effect, start: &Start, image: &str) -> Result<ImageStatus, Waiting> {
    let host = &effect.host;
    start.event(effect, Normal, "Pulling", &format!("Pulling image \"{image}\""));
    let asked = tokio::time::Instant::now();
    let permit = host.pulls.acquire().await;
    let begun = tokio::time::Instant::now();
    let auth = pull_secrets::credentials(effect, image).await;
    let pulled = host.runtime.pull_image(image, auth).await;
    drop(permit);
    let status = match pulled {
        Ok(_) => host.runtime.image_status(image).await,
        Err(error) => Err(error),
    };
    match status {
        Ok(Some(status)) => {
            let message = format!(
                "Successfully pulled image \"{image}\" in {:.3?} ({:.3?} including waiting). Image size: {} bytes.",
                begun.elapsed(),
                asked.elapsed(),
                status.size
            );
            start.event(effect, Normal, "Pulled", &message);
            Ok(status)
        }
        Ok(None) => Err(failed(effect, start, image, "the image is not there after it was pulled")),
        Err(error) => Err(failed(effect, start, image, &error.to_string())),
    }
}

fn failed(effect: &Effect, start: &Start, image: &str, error: &str) -> Waiting {
    start.event(effect, Warning, "Failed", &format!("Failed to pull image \"{image}\": {error}"));
    start.event(effect, Warning, "Failed", "Error: ErrImagePull");
    let back_off = format!("Back-off pulling image \"{image}\"");
    start.event(effect, Normal, "BackOff", &back_off);
    start.event(effect, Warning, "Failed", "Error: ImagePullBackOff");
    let waiting = start.waiting("ErrImagePull", error.to_owned(), effect);
    let later = ("ImagePullBackOff", format!("{back_off}: ErrImagePull: {error}"));
    Waiting { later: Some(later), ..waiting }
}
