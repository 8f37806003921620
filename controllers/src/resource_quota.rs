//! ResourceQuotas: how much of what a namespace may have is used.
//!
//! Watches: quotas; the kinds that quotas name, each from the first quota on that names it. An object that comes, goes
//! or uses another amount maps to the quotas of its namespace.

mod caches;
mod kinds;
mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use std::sync::Arc;
use windlass_core::cache::HeaderOnly;
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme;

/// The controller of ResourceQuotas.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let quotas = context.informers.informer::<HeaderOnly>(scheme::RESOURCEQUOTAS);
    let caches = Arc::new(caches::Caches::new(context, quotas.clone()));
    let controller =
        Controller::new("resourcequota", sync::Sync::new(context, quotas.clone(), caches.clone()))
            .workers(context.settings.workers)
            .after(quotas.synced());
    caches.wake(controller.queue());
    wiring::itself(&quotas, &controller.queue());
    Box::new(controller)
}
