//! Gives each node its part of the cluster's pod addresses.
//!
//! Watches: nodes. A node that has a part keeps it until it is gone; then it may go to one that waits for room.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views::NodeView;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

/// The controller of nodes' pod addresses. Idle when the settings have no range.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let nodes = context.informers.informer::<NodeView>(scheme::NODES);
    let given = sync::Given::new(Mutex::new(sync::pool(context)));
    let sync = sync::Sync::new(context, nodes.clone(), given.clone());
    // One worker: two would give the same part twice.
    let controller = Controller::new("node-ipam", sync).after(nodes.synced());
    let queue = controller.queue();
    nodes.on_change(move |change| {
        let (name, spec) = (change.object().name(), &change.entry().view.spec);
        if let Change::Deleted(_) = change {
            let woken = given.lock().release(name);
            woken.into_iter().for_each(|node| queue.add(ObjectKey::new("", node)));
        } else if spec.pod_cidr.is_empty() {
            queue.add(ObjectKey::new("", name));
        } else {
            let all = spec.pod_cidrs.iter().chain([&spec.pod_cidr]);
            let all: BTreeSet<_> = all.cloned().collect();
            given.lock().hold(name, all.into_iter().collect());
        }
    });
    Box::new(controller)
}
