//! HorizontalPodAutoscalers: as many replicas as the metrics ask for.
//!
//! Watches: autoscalers; pods are read from the shared cache. Each autoscaler is looked at when it is new or its spec
//! changes, and every sync period after that: metrics have no watch. The algorithm is that of the Kubernetes
//! documentation, "Horizontal Pod Autoscaling": `calculator` gets from readings to replicas, `behavior` keeps the pace,
//! `plan` says what comes of it, `source` asks the metrics APIs.

mod behavior;
mod calculator;
mod metric;
mod plan;
mod rivals;
mod source;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::kinds::Definition;
use crate::views;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme::{self, GroupVersionKind};

const GVK: GroupVersionKind = GroupVersionKind::new("autoscaling", "v2", "HorizontalPodAutoscaler");

/// The controller of HorizontalPodAutoscalers. Reads metrics through the settings' client for metrics.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let autoscalers = views::headers(context, scheme::HORIZONTALPODAUTOSCALERS);
    let pods = views::pods(context);
    let definitions = context.informers.informer::<Definition>(scheme::CUSTOMRESOURCEDEFINITIONS);
    let sync = sync::Sync::new(context, autoscalers.clone(), pods.clone(), definitions);
    let controller = Controller::new("horizontalpodautoscaler", sync)
        .workers(context.settings.workers)
        .after(autoscalers.synced())
        .after(pods.synced());
    let queue = controller.queue();
    autoscalers.on_change(move |change| {
        // Its own status is no reason to ask for metrics again.
        if let Change::Updated { old, new } = change
            && old.object.header().generation == new.object.header().generation
        {
            return;
        }
        queue.add(ObjectKey::of(change.object()));
    });
    Box::new(controller)
}
