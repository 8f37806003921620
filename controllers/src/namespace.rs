//! The end of namespaces: everything in them is deleted, pods first; then the namespace itself.
//!
//! Watches: namespaces; and the ends of all objects in namespaces that go, which map to the namespace.

mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::kinds::{Kind, WithKinds};
use crate::support::wiring::{self, Queue};
use crate::views::Headers;
use std::time::Duration;
use windlass_core::cache::{Change, HeaderOnly};
use windlass_core::component::{Component, Shutdown};
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

/// Each look at a namespace goes through all kinds: what ends within this time is one.
const BATCH: Duration = Duration::from_secs(1);

/// The controller that empties namespaces.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    Box::new(WithKinds { name: "namespace", context: context.clone(), build })
}

fn build(context: &Context, kinds: Vec<Kind>, _: &Shutdown) -> Box<dyn Component> {
    let headers = |resource| context.informers.informer::<HeaderOnly>(resource);
    let namespaces = headers(scheme::NAMESPACES);
    let namespaced: Vec<Kind> = kinds.into_iter().filter(|kind| kind.namespaced).collect();
    let caches: Vec<_> = namespaced.iter().map(|kind| headers(kind.resource.clone())).collect();
    let sync = sync::Sync::new(context, namespaces.clone(), namespaced);
    let controller = Controller::new("namespace", sync)
        .workers(context.settings.workers)
        .after(namespaces.synced());
    let queue = controller.queue();
    wiring::itself(&namespaces, &queue);
    for cache in &caches {
        ends(cache, &namespaces, &queue);
    }
    Box::new(controller)
}

/// The end of an object is a request for its namespace, if that goes; ends one by one are looked at together.
fn ends(cache: &Headers, namespaces: &Headers, queue: &Queue) {
    let (namespaces, queue) = (namespaces.clone(), queue.clone());
    cache.on_change(move |change| {
        let Change::Deleted(entry) = change else { return };
        let namespace = namespaces.get("", entry.object.namespace());
        if namespace.is_some_and(|namespace| namespace.object.header().deleting) {
            queue.add_after(ObjectKey::new("", entry.object.namespace()), BATCH);
        }
    });
}
