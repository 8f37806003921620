//! Deployments: one ReplicaSet for each template there was, and pods moved from the old ones to the new one.
//!
//! Watches: Deployments, and ReplicaSets, which map to the Deployment that controls them (to every Deployment that
//! selects them when none does). Pods are not looked at: the status of a ReplicaSet says all of them that matters here.

mod model;
mod plan;
mod sync;

#[cfg(feature = "bench")]
pub(crate) use plan::{Snapshot, plan};

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views;
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme::{self, GroupVersionKind};

const GVK: GroupVersionKind = GroupVersionKind::new("apps", "v1", "Deployment");

/// The controller of Deployments.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let deployments = views::workloads(context, scheme::DEPLOYMENTS);
    let sets = views::workloads(context, scheme::REPLICASETS);
    let sync = sync::Sync::new(context, deployments.clone(), sets.clone());
    let controller = Controller::new("deployment", sync)
        .workers(context.settings.workers)
        .after(deployments.synced())
        .after(sets.synced());
    let queue = controller.queue();
    wiring::itself(&deployments, &queue);
    wiring::owners_of(&sets, &deployments, GVK, &queue, wiring::at_once);
    Box::new(controller)
}
