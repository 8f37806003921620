//! Deletes pods from nodes with NoExecute taints that they don't tolerate, or not for that long.
//!
//! Watches: pods that are bound; nodes, which map to their pods when their taints change. A pod that tolerates a taint for
//! a while is looked at again when that is over.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views::{self, BY_NODE, NodeView};
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

/// The taint eviction controller.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let nodes = context.informers.informer::<NodeView>(scheme::NODES);
    let pods = views::pods(context);
    let sync = sync::Sync::new(context, nodes.clone(), pods.clone());
    let controller = Controller::new("taint-eviction", sync)
        .workers(context.settings.workers)
        .after(nodes.synced())
        .after(pods.synced());
    let queue = controller.queue();
    let (of_pods, known) = (queue.clone(), nodes.clone());
    pods.on_change(move |change| {
        let pod = change.entry();
        // Pods of good nodes, almost all, are left alone; should the node change, it brings them.
        let node = known.get("", &pod.view.spec.node_name);
        if node.is_some_and(|node| plan::evicts(&node.view)) || matches!(change, Change::Deleted(_))
        {
            of_pods.add(ObjectKey::of(&pod.object));
        }
    });
    nodes.on_change(move |change| {
        let before = match change {
            Change::Updated { old, .. } => old.view.spec.taints.as_slice(),
            _ => &[],
        };
        let node = change.entry();
        if node.view.spec.taints != before {
            let of_node = pods.by_index(BY_NODE, node.object.name());
            of_node.iter().for_each(|pod| queue.add(ObjectKey::of(&pod.object)));
        }
    });
    Box::new(controller)
}
