//! Deletes what nobody owns any more.
//!
//! Watches: the headers of all objects of all kinds, those of custom resources and of other servers too. They make a graph of who owns whom.
//! Three ways to delete an owner (Kubernetes documentation, "Garbage Collection"): in the background the dependents go
//! after it; in the foreground it waits for those that block it; and as orphans they stay, without it. That an
//! owner is gone is always made sure of with the server before anything is deleted for it.

mod behind;
mod graph;
mod owners;
mod pending;
mod plan;
mod sync;
mod watch;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::kinds::{Definition, Kind, WithKinds};
use std::sync::{Arc, OnceLock};
use windlass_core::cache::HeaderOnly;
use windlass_core::component::{Component, Shutdown};
use windlass_core::controller::Controller;
use windlass_core::scheme;

/// The garbage collector.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    Box::new(WithKinds { name: "garbagecollector", context: context.clone(), build })
}

fn build(context: &Context, kinds: Vec<Kind>, shutdown: &Shutdown) -> Box<dyn Component> {
    let graph = Arc::new(graph::Graph::default());
    let definitions = context.informers.informer::<Definition>(scheme::CUSTOMRESOURCEDEFINITIONS);
    let behind = Arc::new(behind::Behind::default());
    let wake = Arc::new(OnceLock::new());
    let (known, servers) = (graph.clone(), behind.clone());
    let sync = sync::Sync::new(context, known, definitions.clone(), servers, wake.clone());
    let mut controller =
        Controller::new("garbagecollector", sync).workers(context.settings.workers * 4);
    let queue = wake.get_or_init(|| controller.queue()).clone();
    // Events own nothing and are owned by nothing.
    for kind in kinds.into_iter().filter(|kind| kind.resource != scheme::EVENTS) {
        // Without the indexes that other controllers need: all objects there are go through here.
        let cache = context.informers.informer::<HeaderOnly>(kind.resource.clone());
        watch::follow(&cache, (&kind, graph::Source::Own), &graph, &queue);
        controller = controller.after(cache.synced());
    }
    controller = controller.after(definitions.synced());
    if let Some(services) = behind.follow(context, &graph, &queue, shutdown) {
        controller = controller.after(services);
    }
    watch::follow_definitions(context, &definitions, &graph, &queue, shutdown);
    Box::new(controller)
}
