//! Collects pods that nobody else will: those on nodes that are gone, those deleted before they were bound, those that
//! end on a node that is out of service, and the oldest of too many that have ended.
//!
//! Watches: pods; nodes, whose end maps to their pods. A node counts as gone after it was missing for a while, and the
//! server was asked.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views::{self, BY_NODE, NodeView};
use std::sync::Arc;
use std::time::Duration;
use sync::Request;
use windlass_core::cache::{Change, Entry};
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

const TERMINATED: &str = "terminated";

/// The pod garbage collector.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let nodes = context.informers.informer::<NodeView>(scheme::NODES);
    let pods = views::pods(context);
    pods.add_index(
        TERMINATED,
        |pod| if pod.view.is_terminal() { vec![String::new()] } else { vec![] },
    );
    let sync = sync::Sync::new(context, nodes.clone(), pods.clone());
    let controller = Controller::new("pod-gc", sync).after(nodes.synced()).after(pods.synced());
    let queue = controller.queue();
    let (of_pods, known) = (queue.clone(), nodes.clone());
    pods.on_change(move |change| {
        let pod = change.entry();
        let node = &pod.view.spec.node_name;
        let lost = if node.is_empty() {
            pod.object.header().deleting
        } else {
            let down = |node: Arc<Entry<NodeView>>| plan::is_out_of_service(&node.view);
            known.get("", node).is_none_or(|node| pod.object.header().deleting && down(node))
        };
        if lost && !matches!(change, Change::Deleted(_)) {
            of_pods.add(Request::Pod(ObjectKey::of(&pod.object)));
        }
        if pod.view.is_terminal() {
            // Many end together: one look serves them all.
            of_pods.add_after(Request::Terminated, Duration::from_secs(1));
        }
    });
    nodes.on_change(move |change| {
        let down = plan::is_out_of_service(&change.entry().view);
        if down || matches!(change, Change::Deleted(_)) {
            let of_node = pods.by_index(BY_NODE, change.object().name());
            of_node.iter().for_each(|pod| queue.add(Request::Pod(ObjectKey::of(&pod.object))));
        }
    });
    Box::new(controller)
}
