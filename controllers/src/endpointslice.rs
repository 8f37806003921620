//! EndpointSlices of Services that select pods.
//!
//! Watches: Services; pods, which map to the Services that select them; nodes, which map to the Services with pods on
//! them; the slices themselves.

mod hints;
mod plan;
mod sync;

#[cfg(feature = "bench")]
pub(crate) use plan::{Snapshot, plan};

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::endpoints::{from_nodes, from_pods};
use crate::support::slices::{MANAGED_BY, SERVICE_NAME};
use crate::support::wiring;
use crate::views::{self, Headers, NodeView, ServiceView};
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::object::Header;
use windlass_core::scheme;

/// Index of slices: by namespace and Service.
pub(crate) const BY_SERVICE: &str = "service";
pub(crate) const MANAGER: &str = "endpointslice-controller.k8s.io";

/// The controller of EndpointSlices.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let services = context.informers.informer::<ServiceView>(scheme::SERVICES);
    let nodes = context.informers.informer::<NodeView>(scheme::NODES);
    let (pods, slices) = (views::pods(context), slices(context));
    let sync =
        sync::Sync::new(context, services.clone(), pods.clone(), nodes.clone(), slices.clone());
    let controller = Controller::new("endpointslice", sync)
        .workers(context.settings.workers)
        .after(services.synced())
        .after(pods.synced())
        .after(nodes.synced())
        .after(slices.synced());
    let queue = controller.queue();
    wiring::itself(&services, &queue);
    from_pods(&pods, &services, &queue);
    from_nodes(&nodes, &pods, &services, &queue);
    from_slices(&slices, MANAGER, &queue);
    Box::new(controller)
}

/// All slices, by Service.
pub(crate) fn slices(context: &Context) -> Headers {
    let slices = views::headers(context, scheme::ENDPOINTSLICES);
    slices.add_index(BY_SERVICE, |slice| {
        service_of(slice.object.header()).iter().map(ToString::to_string).collect()
    });
    slices
}

/// A slice that changes is a request for the Service it belongs to.
pub(crate) fn from_slices(slices: &Headers, manager: &'static str, queue: &wiring::Queue) {
    let queue = queue.clone();
    slices.on_change(move |change| {
        let header = change.object().header();
        if header.label(MANAGED_BY) == Some(manager) {
            service_of(header).into_iter().for_each(|service| queue.add(service));
        }
    });
}

fn service_of(header: &Header) -> Option<ObjectKey> {
    header.label(SERVICE_NAME).map(|name| ObjectKey::new(&*header.namespace, name))
}
