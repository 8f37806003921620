//! The ServiceAccount `default` of every namespace.
//!
//! Watches: namespaces, and ServiceAccounts, which map to their namespace.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

/// The controller of default ServiceAccounts.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let namespaces = views::headers(context, scheme::NAMESPACES);
    let accounts = views::headers(context, scheme::SERVICEACCOUNTS);
    let sync = sync::Sync::new(context, namespaces.clone(), accounts.clone());
    let controller =
        Controller::new("serviceaccount", sync).after(namespaces.synced()).after(accounts.synced());
    let queue = controller.queue();
    wiring::itself(&namespaces, &queue);
    accounts.on_change(move |change| queue.add(ObjectKey::new("", change.object().namespace())));
    Box::new(controller)
}
