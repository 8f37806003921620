//! DaemonSets: a pod on every node that it may use.
//!
//! Watches: DaemonSets; pods and ControllerRevisions, which map to the set that controls them; nodes, whose labels and
//! taints concern every set.

mod eligible;
mod plan;
mod rolling;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views::{self, NodeView};
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme::{self, GroupVersionKind};

const GVK: GroupVersionKind = GroupVersionKind::new("apps", "v1", "DaemonSet");

/// The controller of DaemonSets.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let sets = views::workloads(context, scheme::DAEMONSETS);
    let (pods, nodes) =
        (views::pods(context), context.informers.informer::<NodeView>(scheme::NODES));
    let revisions = views::headers(context, scheme::CONTROLLERREVISIONS);
    let sync =
        sync::Sync::new(context, sets.clone(), pods.clone(), nodes.clone(), revisions.clone());
    let controller = Controller::new("daemonset", sync)
        .workers(context.settings.workers)
        .after(sets.synced())
        .after(pods.synced())
        .after(nodes.synced())
        .after(revisions.synced());
    let queue = controller.queue();
    wiring::itself(&sets, &queue);
    wiring::owners_of(&pods, &sets, GVK, &queue, wiring::at_once);
    wiring::owners_of(&revisions, &sets, GVK, &queue, wiring::at_once);
    nodes.on_change(move |change| {
        if let Change::Updated { old, new } = change
            && old.object.header().labels == new.object.header().labels
            && old.view.spec.taints == new.view.spec.taints
        {
            return;
        }
        sets.list(None).iter().for_each(|set| queue.add(ObjectKey::of(&set.object)));
    });
    Box::new(controller)
}
