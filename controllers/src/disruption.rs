//! PodDisruptionBudgets: how many pods may be evicted now.
//!
//! Watches: budgets; pods, which map to the budgets that select them; the workloads that own them, whose size says how
//! many pods there should be.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring::{self, Queue};
use crate::views::{self, Workloads};
use windlass_core::Object;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

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
    wiring::itself(&budgets, &queue);
    pods.on_change(move |change| {
        request(&budgets, change.object(), &queue);
        if let Change::Updated { old, new } = change
            && old.object.header().labels != new.object.header().labels
        {
            request(&budgets, &old.object, &queue);
        }
    });
    Box::new(controller)
}

fn request(budgets: &Workloads, pod: &Object, queue: &Queue) {
    for budget in budgets.list(Some(pod.namespace())) {
        if budget.view.spec.selector.matches_or_all(&pod.header().labels) {
            queue.add(ObjectKey::of(&budget.object));
        }
    }
}
