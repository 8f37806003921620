//! ReplicaSets and ReplicationControllers: as many pods as asked for.
//!
//! Watches: the sets themselves, and pods, which map to the set that controls them (to every set that selects them
//! when none does). One implementation serves both kinds, as in Kubernetes.

mod plan;
mod set;
mod sync;

#[cfg(feature = "bench")]
pub(crate) use {plan::scale, set::Set};

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring;
use crate::views;
use windlass_core::component::Component;
use windlass_core::controller::Controller;
use windlass_core::scheme::{self, GroupVersionKind, GroupVersionResource};

/// One of the two kinds.
pub(crate) struct Kind {
    pub(crate) resource: GroupVersionResource,
    pub(crate) gvk: GroupVersionKind,
    name: &'static str,
    source: &'static str,
}

pub(crate) static REPLICA_SET: Kind = Kind {
    resource: scheme::REPLICASETS,
    gvk: GroupVersionKind::new("apps", "v1", "ReplicaSet"),
    name: "replicaset",
    source: "replicaset-controller",
};

static REPLICATION_CONTROLLER: Kind = Kind {
    resource: scheme::REPLICATIONCONTROLLERS,
    gvk: GroupVersionKind::new("", "v1", "ReplicationController"),
    name: "replicationcontroller",
    source: "replication-controller",
};

/// The controller of ReplicaSets.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    of_kind(context, &REPLICA_SET)
}

/// The controller of ReplicationControllers.
#[must_use]
pub fn replication_controller(context: &Context) -> Box<dyn Component> {
    of_kind(context, &REPLICATION_CONTROLLER)
}

fn of_kind(context: &Context, kind: &'static Kind) -> Box<dyn Component> {
    let sets = views::workloads(context, kind.resource.clone());
    let pods = views::pods(context);
    let sync = sync::Sync::new(context, kind, sets.clone(), pods.clone());
    let controller = Controller::new(kind.name, sync)
        .workers(context.settings.workers)
        .after(sets.synced())
        .after(pods.synced());
    let queue = controller.queue();
    wiring::itself(&sets, &queue);
    wiring::owners_of(&pods, &sets, kind.gvk.clone(), &queue, wiring::at_once);
    Box::new(controller)
}
