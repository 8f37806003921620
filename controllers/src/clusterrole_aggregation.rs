//! ClusterRoles that are the sum of others (`aggregationRule`).
//!
//! Watches: ClusterRoles. Any that changes may be a part of any sum, so all sums are looked at together.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::views;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

/// The controller of aggregated ClusterRoles.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let roles = views::headers(context, scheme::CLUSTERROLES);
    let sync = sync::Sync::new(context, roles.clone());
    let controller = Controller::new("clusterrole-aggregation", sync).after(roles.synced());
    let queue = controller.queue();
    roles.on_change(move |_| queue.add(ObjectKey::new("", "")));
    Box::new(controller)
}
