//! ResourceClaims of pods: made from templates, given back when no pod needs them any more (KEP-4381).
//!
//! Watches: pods that name claims; claims, which map to themselves and to the pod that owns them.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views;
use sync::Request;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme::{self, GroupVersionKind};

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

/// The controller of ResourceClaims.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let (pods, claims) = (views::pods(context), views::headers(context, scheme::RESOURCECLAIMS));
    let sync = sync::Sync::new(context, pods.clone(), claims.clone());
    let controller = Controller::new("resourceclaim", sync)
        .workers(context.settings.workers)
        .after(pods.synced())
        .after(claims.synced());
    let queue = controller.queue();
    let of_pods = queue.clone();
    pods.on_change(move |change| {
        let pod = change.entry();
        let Some(named) = &pod.view.spec.resource_claims else { return };
        of_pods.add(Request::Pod(ObjectKey::of(&pod.object)));
        for claim in named {
            if let Some(name) = plan::claim_name(&pod.view, claim) {
                of_pods.add(Request::Claim(ObjectKey::new(pod.object.namespace(), name)));
            }
        }
    });
    claims.on_change(move |change| {
        let header = change.object().header();
        queue.add(Request::Claim(ObjectKey::of(change.object())));
        if let Some(owner) = header.controller().filter(|owner| *owner.kind == *"Pod") {
            queue.add(Request::Pod(ObjectKey::new(&*header.namespace, &*owner.name)));
        }
    });
    Box::new(controller)
}
