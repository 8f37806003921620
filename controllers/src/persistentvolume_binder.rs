//! Binds claims to volumes, one to one.
//!
//! Watches: PersistentVolumeClaims, PersistentVolumes and StorageClasses; pods, which map to their claims that wait. A
//! claim takes the smallest volume that fits; a volume that is new or free again may be what waiting claims of its class
//! wait for. Claims of classes with `WaitForFirstConsumer` wait until the scheduler has chosen a node. Volumes that have
//! to be made first are marked for their provisioner, and so are those to be deleted: by their phase, of which the server
//! is asked and no cache.

mod claim;
mod fit;
mod provision;
mod sync;
mod volume;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::storage::{BY_VOLUME, Caches, WAITING};
use crate::views;
use sync::Request;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};

/// The controller that binds claims and volumes.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let caches = Caches::new(context, views::pods_by_claim(context));
    let sync = sync::Sync::new(context, caches.clone());
    // One worker: two would choose the same volume and one of them in vain.
    let controller = caches.before(Controller::new("persistentvolume-binder", sync));
    let queue = controller.queue();
    let Caches { claims, volumes, classes, pods } = caches;
    let of_claims = queue.clone();
    claims.on_change(move |change| {
        of_claims.add(Request::Claim(ObjectKey::of(change.object())));
        // Its volume sees that it is bound, or alone.
        of_claims.add(Request::VolumesOf(ObjectKey::of(change.object())));
    });
    let (of_classes, waiting) = (queue.clone(), claims.clone());
    classes.on_change(move |change| {
        // Those that name no class take the default one.
        for class in [change.object().name(), ""] {
            waiting.by_index(WAITING, class).iter().for_each(|claim| {
                of_classes.add(Request::Claim(ObjectKey::of(&claim.object)));
            });
        }
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
        let (name, view) = (change.object().name(), &change.entry().view);
        queue.add(Request::Volume(name.to_owned()));
        // Before it may go to others.
        for claim in claims.by_index(BY_VOLUME, name) {
            queue.add(Request::Claim(ObjectKey::of(&claim.object)));
        }
        let free = matches!(change, Change::Added(_))
            || matches!(change, Change::Updated { old, .. } if old.view.spec.claim_ref.is_some());
        if free && view.spec.claim_ref.is_none() {
            queue.add(Request::Class(view.spec.storage_class_name.to_string()));
        }
        view.claim().into_iter().for_each(|claim| queue.add(Request::Claim(claim)));
    });
    Box::new(controller)
}
