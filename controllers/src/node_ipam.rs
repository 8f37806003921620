//! Gives each node its part of the cluster's pod addresses.
//!
//! Watches: nodes. A node that has a part keeps it.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views::NodeView;
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme;

/// The controller of nodes' pod addresses. Idle when the settings have no range.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let nodes = context.informers.informer::<NodeView>(scheme::NODES);
    let sync = sync::Sync::new(context, nodes.clone());
    // One worker: two would give the same part twice.
    let controller = Controller::new("node-ipam", sync).after(nodes.synced());
    wiring::itself(&nodes, &controller.queue());
    Box::new(controller)
}
