//! The ConfigMap `kube-root-ca.crt` of every namespace: by it pods know that they speak to the right server.
//!
//! Watches: namespaces, and the ConfigMaps of that name, which map to their namespace.

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

/// The controller that publishes the cluster's certificate authority. Idle when the settings have none.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let namespaces = views::headers(context, scheme::NAMESPACES);
    let selector = format!("metadata.name={}", plan::NAME);
    let maps = context.informers.filtered::<plan::MapView>(scheme::CONFIGMAPS, &selector);
    let sync = sync::Sync::new(context, namespaces.clone(), maps.clone());
    let controller =
        Controller::new("root-ca", sync).after(namespaces.synced()).after(maps.synced());
    let queue = controller.queue();
    wiring::itself(&namespaces, &queue);
    maps.on_change(move |change| queue.add(ObjectKey::new("", change.object().namespace())));
    Box::new(controller)
}
