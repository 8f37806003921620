//! Binds claims to volumes, one to one.
//!
//! Watches: PersistentVolumeClaims and PersistentVolumes. A claim takes the smallest volume that fits; a volume that is
//! new or free again may be what waiting claims of its class wait for. Volumes that have to be made first are a
//! provisioner's business. Claims are bound at once, also those of classes that would rather wait for a pod.

mod claim;
mod fit;
mod sync;
mod volume;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views;
use sync::Request;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

/// The controller that binds claims and volumes.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let claims = views::headers(context, scheme::PERSISTENTVOLUMECLAIMS);
    let volumes = views::headers(context, scheme::PERSISTENTVOLUMES);
    let sync = sync::Sync::new(context, claims.clone(), volumes.clone());
    // One worker: two would choose the same volume and one of them in vain.
    let controller = Controller::new("persistentvolume-binder", sync)
        .after(claims.synced())
        .after(volumes.synced());
    let queue = controller.queue();
    let of_claims = queue.clone();
    claims.on_change(move |change| {
        of_claims.add(Request::Claim(ObjectKey::of(change.object())));
        // Its volume sees that it is bound, or alone.
        of_claims.add(Request::VolumeOf(ObjectKey::of(change.object())));
    });
    volumes.on_change(move |change| {
        queue.add(Request::Volume(change.object().name().to_owned()));
        if !matches!(change, Change::Updated { .. }) {
            queue.add(Request::Waiting);
        }
        queue.add(Request::ClaimOf(change.object().name().to_owned()));
    });
    Box::new(controller)
}
