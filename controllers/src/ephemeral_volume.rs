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
use windlass_core::controller::{Controller, map};
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
        .watch(&pods, |change| !is_update(change) && has_one(change.entry()), map::itself)
        .watch(&claims, |change| matches!(change, Change::Deleted(_)), map::controller(POD));
    Box::new(controller)
}

fn is_update<V>(change: &Change<V>) -> bool {
    matches!(change, Change::Updated { .. })
}

fn has_one(pod: &Entry<PodView>) -> bool {
    pod.view.spec.volumes.iter().flatten().any(|volume| volume.ephemeral.is_some())
}
