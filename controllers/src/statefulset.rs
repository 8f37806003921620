//! StatefulSets: pods with names, claims and an order.
//!
//! Watches: StatefulSets; pods and ControllerRevisions, which map to the set that controls them.

mod identity;
mod plan;
mod retention;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme::{self, GroupVersionKind};

const GVK: GroupVersionKind = GroupVersionKind::new("apps", "v1", "StatefulSet");

/// The controller of StatefulSets.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let sets = views::workloads(context, scheme::STATEFULSETS);
    let pods = views::pods(context);
    let revisions = views::headers(context, scheme::CONTROLLERREVISIONS);
    let claims = views::headers(context, scheme::PERSISTENTVOLUMECLAIMS);
    let sync =
        sync::Sync::new(context, sets.clone(), pods.clone(), revisions.clone(), claims.clone());
    let controller = Controller::new("statefulset", sync)
        .workers(context.settings.workers)
        .after(sets.synced())
        .after(pods.synced())
        .after(revisions.synced())
        .after(claims.synced());
    let queue = controller.queue();
    wiring::itself(&sets, &queue);
    wiring::owners_of(&pods, &sets, GVK, &queue, wiring::at_once);
    wiring::owners_of(&revisions, &sets, GVK, &queue, wiring::at_once);
    // A claim that goes may be what a new pod waits for.
    claims.on_change(move |change| {
        if matches!(change, Change::Deleted(_)) {
            wiring::selecting(&sets, change.object(), |key| queue.add(key));
        }
    });
    Box::new(controller)
}
