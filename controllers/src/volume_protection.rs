//! Claims and volumes that are in use are not deleted: a finalizer holds them, and goes when nobody uses them any more.
//!
//! Watches: claims; pods, which map to the claims they use; volumes.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views;
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme;

/// The controller that protects claims that pods use.
#[must_use]
pub fn claims(context: &Context) -> Box<dyn Component> {
    let claims = views::headers(context, scheme::PERSISTENTVOLUMECLAIMS);
    let pods = views::pods_by_claim(context);
    let sync = sync::Claims::new(context, claims.clone(), pods.clone());
    let controller =
        Controller::new("pvc-protection", sync).after(claims.synced()).after(pods.synced());
    let queue = controller.queue();
    let of_claims = queue.clone();
    claims.on_change(move |change| of_claims.add(sync::request(change.object())));
    pods.on_change(move |change| {
        let pod = change.entry();
        for claim in pod.view.claims(pod.object.name()) {
            let held = claims.get(pod.object.namespace(), &claim);
            if let Some(held) = held.filter(|claim| claim.object.header().deleting) {
                queue.add(sync::request(&held.object));
            }
        }
    });
    Box::new(controller)
}

/// The controller that protects volumes that claims are bound to.
#[must_use]
pub fn volumes(context: &Context) -> Box<dyn Component> {
    let volumes = views::headers(context, scheme::PERSISTENTVOLUMES);
    let sync = sync::Volumes::new(context, volumes.clone());
    let controller = Controller::new("pv-protection", sync).after(volumes.synced());
    wiring::itself(&volumes, &controller.queue());
    Box::new(controller)
}
