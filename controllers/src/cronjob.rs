//! CronJobs: a Job at each time of a schedule.
//!
//! Watches: CronJobs, and Jobs, which map to the CronJob that controls them. Between two times nothing is done.

mod plan;
mod schedule;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views;
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme::{self, GroupVersionKind};

const GVK: GroupVersionKind = GroupVersionKind::new("batch", "v1", "CronJob");

/// The controller of CronJobs.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let crons = views::workloads(context, scheme::CRONJOBS);
    let jobs = views::workloads(context, scheme::JOBS);
    let sync = sync::Sync::new(context, crons.clone(), jobs.clone());
    let controller = Controller::new("cronjob", sync)
        .workers(context.settings.workers)
        .after(crons.synced())
        .after(jobs.synced());
    let queue = controller.queue();
    wiring::itself(&crons, &queue);
    wiring::owners_of(&jobs, &crons, GVK, &queue, wiring::at_once);
    Box::new(controller)
}
