//! Jobs: pods that run until they are done.
//!
//! Watches: Jobs; pods, which map to the Job that controls them. A pod keeps a finalizer until its end is counted in the
//! status, so that none is lost and none counted twice (KEP-2307).

mod count;
mod finish;
mod indexes;
mod per_index;
mod plan;
mod pods;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views;
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme::{self, GroupVersionKind};

pub(crate) const GVK: GroupVersionKind = GroupVersionKind::new("batch", "v1", "Job");

/// The controller of Jobs.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let (jobs, pods) = (views::workloads(context, scheme::JOBS), views::pods(context));
    let sync = sync::Sync::new(context, jobs.clone(), pods.clone());
    let controller = Controller::new("job", sync)
        .workers(context.settings.workers)
        .after(jobs.synced())
        .after(pods.synced());
    let queue = controller.queue();
    wiring::itself(&jobs, &queue);
    wiring::owners_of(&pods, &jobs, GVK, &queue);
    Box::new(controller)
}
