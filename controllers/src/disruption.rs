//! PodDisruptionBudgets: how many pods may be evicted now.
//!
//! Watches: budgets; pods, which map to the budgets that select them. How many pods there should be is read when a budget
//! is looked at: from the caches of built-in workloads, of other kinds by their `scale`. A workload that is scaled brings
//! no budget back; the pods that come and go then do. A pod that was marked for disruption and then was let live loses the
//! mark.

mod plan;
mod stale;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views::{self, Workloads};
use sync::Request;
use windlass_core::Object;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;
use windlass_core::workqueue::WorkQueue;

/// The controller of PodDisruptionBudgets.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let (budgets, pods) =
        (views::workloads(context, scheme::PODDISRUPTIONBUDGETS), views::pods(context));
    let sync = sync::Sync::new(context, budgets.clone(), pods.clone());
    let owners = sync.synced();
    let mut controller =
        Controller::new("disruption", sync).after(budgets.synced()).after(pods.synced());
    for owner in owners {
        controller = controller.after(owner);
    }
    let queue = controller.queue();
    let of_budgets = queue.clone();
    budgets.on_change(move |change| {
        of_budgets.add(Request::Budget(ObjectKey::of(change.object())));
    });
    pods.on_change(move |change| {
        request(&budgets, change.object(), &queue);
        if stale::is_marked(&change.entry().view) && !matches!(change, Change::Deleted(_)) {
            queue.add(Request::Pod(ObjectKey::of(change.object())));
        }
        if let Change::Updated { old, new } = change
            && old.object.header().labels != new.object.header().labels
        {
            request(&budgets, &old.object, &queue);
        }
    });
    Box::new(controller)
}

fn request(budgets: &Workloads, pod: &Object, queue: &WorkQueue<Request>) {
    for budget in budgets.list(Some(pod.namespace())) {
        if budget.view.spec.selector.matches_or_all(&pod.header().labels) {
            queue.add(Request::Budget(ObjectKey::of(&budget.object)));
        }
    }
}
