//! Deletes Jobs some time after they have finished (`ttlSecondsAfterFinished`).
//!
//! Watches: Jobs. Each is looked at when it finishes and when its time is over.

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

/// The controller that deletes finished Jobs.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let jobs = views::workloads(context, scheme::JOBS);
    let sync = sync::Sync::new(context, jobs.clone());
    let controller = Controller::new("ttl-after-finished", sync).after(jobs.synced());
    wiring::itself(&jobs, &controller.queue());
    Box::new(controller)
}
