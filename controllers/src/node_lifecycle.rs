//! Nodes that fall silent: their conditions become `Unknown`, their pods not ready, and taints say so.
//!
//! Watches: nodes; and their Leases, whose every change is a sign of life. A node is looked at when it changes and when
//! its grace period would end; signs of life alone cost a map entry each. Taints follow the conditions
//! (`TaintNodesByCondition`); what NoExecute taints do to pods is the taint eviction controller's business. They come
//! slowly, zone by zone, and not at all when whole zones fall silent.

mod plan;
mod sync;
mod zones;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views::{self, NodeView};
use std::sync::Arc;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

const LEASES: &str = "kube-node-lease";

/// The node lifecycle controller.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let nodes = context.informers.informer::<NodeView>(scheme::NODES);
    let (pods, leases) = (views::pods(context), views::headers(context, scheme::LEASES));
    let signs = Arc::new(sync::Signs::new(context.env.clone()));
    let sync = sync::Sync::new(context, nodes.clone(), pods.clone(), signs.clone());
    let held = sync.held();
    let controller = Controller::new("node-lifecycle", sync)
        .workers(context.settings.workers)
        .after(nodes.synced())
        .after(pods.synced())
        .after(leases.synced());
    let queue = controller.queue();
    wiring::itself(&nodes, &queue);
    let (held, of_held) = (held, queue.clone());
    nodes.on_change(move |change| {
        let ready = |node: &NodeView| node.condition("Ready") == Some("True");
        let same =
            matches!(change, Change::Updated { old, new } if ready(&old.view) == ready(&new.view));
        if !same {
            // More nodes work than before, or fewer: those that wait may have their turn.
            held.take().into_iter().for_each(|node| of_held.add(ObjectKey::new("", node)));
        }
    });
    let of_lease = signs.clone();
    leases.on_change(move |change| {
        let (object, gone) = (change.object(), matches!(change, Change::Deleted(_)));
        if object.namespace() == LEASES && !gone && of_lease.seen(object.name()) {
            queue.add(ObjectKey::new("", object.name()));
        }
    });
    nodes.on_change(move |change| match change {
        Change::Deleted(node) => signs.forget(node.object.name()),
        Change::Updated { old, new } if old.view.heartbeat() == new.view.heartbeat() => {}
        _ => drop(signs.seen(change.object().name())),
    });
    Box::new(controller)
}
