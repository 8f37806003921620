//! ResourceClaims of pods: made from templates, given back when no pod needs them any more (KEP-4381).
//!
//! Watches: pods that name claims; claims, which map to themselves and to the pod that owns them.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views::{self, PodView};
use sync::Request;
use windlass_core::cache::Entry;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey, map, predicate};
use windlass_core::scheme::{self, GroupVersionKind};

const POD: GroupVersionKind = GroupVersionKind::new("", "v1", "Pod");

/// The controller of ResourceClaims.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let (pods, claims) = (views::pods(context), views::headers(context, scheme::RESOURCECLAIMS));
    let sync = sync::Sync::new(context, pods.clone(), claims.clone());
    let of_pod = map::controller(POD);
    let controller = Controller::new("resourceclaim", sync)
        .workers(context.settings.workers)
        .watch(&pods, predicate::any, named)
        .watch(&claims, predicate::any, move |claim| {
            let owner = of_pod(claim).map(Request::Pod);
            owner.into_iter().chain([Request::Claim(ObjectKey::of(&claim.object))])
        });
    Box::new(controller)
}

/// A pod with claims, and those of them that are there.
fn named(pod: &Entry<PodView>) -> Vec<Request> {
    let claims = pod.view.spec.resource_claims.iter().flatten();
    let names = claims.clone().filter_map(|claim| plan::claim_name(&pod.view, claim));
    let of_claims = names.map(|name| Request::Claim(ObjectKey::new(pod.object.namespace(), name)));
    let itself = claims.take(1).map(|_| Request::Pod(ObjectKey::of(&pod.object)));
    itself.chain(of_claims).collect()
}
