//! Claims of pods' `ephemeral` volumes: made for the pod, owned by it, gone with it.
//!
//! Watches: pods with such volumes; claims, which map to the pod that owns them.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views::{self, PodView};
use windlass_core::cache::{Change, Entry};
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme::{self, GroupVersionKind};

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

/// The controller of ephemeral volumes.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let pods = views::pods(context);
    let claims = views::headers(context, scheme::PERSISTENTVOLUMECLAIMS);
    let sync = sync::Sync::new(context, pods.clone(), claims.clone());
    let controller = Controller::new("ephemeral-volume", sync)
        .workers(context.settings.workers)
        .after(pods.synced())
        .after(claims.synced());
    let queue = controller.queue();
    let of_pods = queue.clone();
    pods.on_change(move |change| {
        if !matches!(change, Change::Updated { .. }) && has_one(change.entry()) {
            of_pods.add(ObjectKey::of(change.object()));
        }
    });
    claims.on_change(move |change| {
        let header = change.object().header();
        if let (Change::Deleted(_), Some(owner)) = (change, header.controller())
            && *owner.kind == *"Pod"
        {
            queue.add(ObjectKey::new(&*header.namespace, &*owner.name));
        }
    });
    Box::new(controller)
}

fn has_one(pod: &Entry<PodView>) -> bool {
    pod.view.spec.volumes.iter().flatten().any(|volume| volume.ephemeral.is_some())
}
