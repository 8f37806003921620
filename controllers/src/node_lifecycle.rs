//! Nodes that fall silent: their conditions become `Unknown`, their pods not ready, and taints say so.
//!
//! Watches: nodes; and their Leases, whose every change is a sign of life. A node is looked at when it changes and when
//! its grace period would end; signs of life alone cost a map entry each. Taints follow the conditions
//! (`TaintNodesByCondition`); what NoExecute taints do to pods is the taint eviction controller's business. They come
//! slowly, zone by zone, and go again when all zones are silent.

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
    let zones = sync.zones();
    let controller = Controller::new("node-lifecycle", sync)
        .workers(context.settings.workers)
        .after(nodes.synced())
        .after(pods.synced())
        .after(leases.synced());
    let queue = controller.queue();
    wiring::itself(&nodes, &queue);
    let (of_zones, all, rates) = (queue.clone(), nodes.clone(), context.settings.eviction_rates);
    nodes.on_change(move |change| {
        let now = Some(change.entry()).filter(|_| !matches!(change, Change::Deleted(_)));
        let before = match change {
            Change::Updated { old, .. } | Change::Deleted(old) => Some(old),
            Change::Added(_) => None,
        };
        let [before, now] = [before, now].map(|node| node.map(|node| sync::member(node)));
        if zones.lock().change(before, now, &rates) {
            // It is otherwise with a zone than before: its silent nodes may have their turn, or not any more.
            let silent = all.list(None).into_iter().filter(|node| !sync::member(node).1);
            silent.for_each(|node| of_zones.add(ObjectKey::of(&node.object)));
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
