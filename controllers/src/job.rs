//! Jobs: pods that run until they are done.
//!
//! Watches: Jobs; pods, which map to the Job that controls them. A pod keeps a finalizer until its end is counted in the
//! status, so that none is lost and none counted twice (KEP-2307). A pod whose Job is gone is let go at once.

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
use pods::{TRACKED, has_finalizer, tracked};
use std::time::Duration;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, enqueue, map, predicate};
use windlass_core::scheme::{self, GroupVersionKind};

pub(crate) const GVK: GroupVersionKind = GroupVersionKind::new("batch", "v1", "Job");

/// Pods change in crowds. What happens within this time is looked at together: Kubernetes' `SyncJobBatchPeriod`.
const BATCH: Duration = Duration::from_secs(1);

/// The controller of Jobs.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let (jobs, pods) = (views::workloads(context, scheme::JOBS), views::pods(context));
    pods.add_index(TRACKED, |pod| tracked(pod).iter().map(ToString::to_string).collect());
    let sync = sync::Sync::new(context, jobs.clone(), pods.clone());
    let controller = Controller::new("job", sync)
        .workers(context.settings.workers)
        .after(jobs.synced())
        .after(pods.synced());
    let queue = controller.queue();
    let later = queue.clone();
    jobs.on_change(move |change| {
        let wait = if predicate::generation_changed(change) { Duration::ZERO } else { BATCH };
        map::itself(change.entry()).into_iter().for_each(|job| later.add_after(job, wait));
    });
    wiring::owners_of(&pods, &jobs, GVK, &queue, |change| match change {
        // This controller did that: what follows has waited already.
        Change::Updated { old, new } if has_finalizer(old) && !has_finalizer(new) => Duration::ZERO,
        _ => BATCH,
    });
    enqueue(&pods, &queue, predicate::any, |pod| tracked(pod).filter(|job| job.name.is_empty()));
    Box::new(controller)
}
