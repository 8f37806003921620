//! EndpointSlices for Endpoints that somebody wrote by hand: those of Services without a selector.
//!
//! Watches: Endpoints; Services, which have the same name; the slices made here.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::endpointslice::{from_slices, slices};
use crate::support::wiring;
use crate::views::{self, ServiceView};
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme;

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";

/// The controller that mirrors Endpoints.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let services = context.informers.informer::<ServiceView>(scheme::SERVICES);
    let (endpoints, slices) = (views::headers(context, scheme::ENDPOINTS), slices(context));
    let sync = sync::Sync::new(context, services.clone(), endpoints.clone(), slices.clone());
    let controller = Controller::new("endpointslicemirroring", sync)
        .after(services.synced())
        .after(endpoints.synced())
        .after(slices.synced());
    let queue = controller.queue();
    wiring::itself(&services, &queue);
    wiring::itself(&endpoints, &queue);
    from_slices(&slices, MANAGER, &queue);
    Box::new(controller)
}
