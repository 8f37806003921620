//! Endpoints of Services that select pods: the older way to say what EndpointSlices say.
//!
//! Watches: Services; pods, which map to the Services that select them; the Endpoints themselves, which have the
//! Service's name.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::endpoints::from_pods;
use crate::support::wiring;
use crate::views::{self, ServiceView};
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme;

/// The controller of Endpoints.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let services = context.informers.informer::<ServiceView>(scheme::SERVICES);
    let (pods, endpoints) = (views::pods(context), views::headers(context, scheme::ENDPOINTS));
    let sync = sync::Sync::new(context, services.clone(), pods.clone(), endpoints.clone());
    let controller = Controller::new("endpoints", sync)
        .workers(context.settings.workers)
        .after(services.synced())
        .after(pods.synced())
        .after(endpoints.synced());
    let queue = controller.queue();
    wiring::itself(&services, &queue);
    wiring::itself(&endpoints, &queue);
    from_pods(&pods, &services, &queue);
    Box::new(controller)
}
