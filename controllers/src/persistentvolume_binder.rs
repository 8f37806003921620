//! Binds claims to volumes, one to one.
//!
//! Watches: PersistentVolumeClaims, PersistentVolumes and StorageClasses; pods, which map to their claims that wait. A
//! claim takes the smallest volume that fits; a volume that is new or free again may be what waiting claims of its class
//! wait for. Claims of classes with `WaitForFirstConsumer` wait until the scheduler has chosen a node. Volumes that have
//! to be made first are marked for their provisioner, and so are those to be deleted: by their phase.

mod claim;
mod fit;
mod provision;
mod sync;
mod volume;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::storage::ClassView;
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
    let classes = context.informers.informer::<ClassView>(scheme::STORAGECLASSES);
    let pods = views::pods_by_claim(context);
    let caches = sync::Caches {
        claims: claims.clone(),
        volumes: volumes.clone(),
        classes: classes.clone(),
        pods: pods.clone(),
    };
    let sync = sync::Sync::new(context, caches);
    // One worker: two would choose the same volume and one of them in vain.
    let controller = Controller::new("persistentvolume-binder", sync)
        .after(claims.synced())
        .after(volumes.synced())
        .after(classes.synced())
        .after(pods.synced());
    let queue = controller.queue();
    let of_claims = queue.clone();
    claims.on_change(move |change| {
        of_claims.add(Request::Claim(ObjectKey::of(change.object())));
        // Its volume sees that it is bound, or alone.
        of_claims.add(Request::VolumeOf(ObjectKey::of(change.object())));
    });
    let (of_classes, waiting) = (queue.clone(), claims.clone());
    classes.on_change(move |_| {
        waiting.list(None).iter().for_each(|claim| {
            of_classes.add(Request::Claim(ObjectKey::of(&claim.object)));
        });
    });
    let of_pods = queue.clone();
    pods.on_change(move |change| {
        let pod = change.entry();
        for claim in pod.view.claims(pod.object.name()) {
            if !matches!(change, Change::Updated { .. }) {
                of_pods.add(Request::Claim(ObjectKey::new(pod.object.namespace(), claim)));
            }
        }
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
