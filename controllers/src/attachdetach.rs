//! Attaches volumes of CSI drivers to nodes whose pods need them, and detaches them again: writes VolumeAttachments,
//! which the drivers' attachers carry out, and tells nodes what is attached.
//!
//! Watches: pods with claims; claims, volumes and VolumeAttachments, which map to the nodes they concern; nodes, whose
//! status says what is mounted still. One request is one node.

mod plan;
mod promises;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::wiring::Queue;
use crate::views::{self, BY_CLAIM, NodeView, Pods};
use plan::AttachmentView;
use windlass_core::cache::Change;
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::scheme;

const BY_NODE: &str = "node";
const BY_VOLUME: &str = "volume";

/// The controller that attaches volumes.
#[must_use]
pub fn component(context: &Context) -> Box<dyn Component> {
    let nodes = context.informers.informer::<NodeView>(scheme::NODES);
    let pods = views::pods_by_claim(context);
    let claims = views::headers(context, scheme::PERSISTENTVOLUMECLAIMS);
    let volumes = views::headers(context, scheme::PERSISTENTVOLUMES);
    let drivers = views::headers(context, scheme::CSIDRIVERS);
    let attachments = context.informers.informer::<AttachmentView>(scheme::VOLUMEATTACHMENTS);
    attachments.add_index(BY_NODE, |one| vec![one.view.spec.node_name.clone()]);
    attachments.add_index(BY_VOLUME, |one| vec![one.view.volume().to_owned()]);
    let caches = sync::Caches {
        nodes: nodes.clone(),
        pods: pods.clone(),
        claims: claims.clone(),
        volumes: volumes.clone(),
        drivers: drivers.clone(),
        attachments: attachments.clone(),
    };
    let controller = Controller::new("attachdetach", sync::Sync::new(context, caches))
        .workers(context.settings.workers)
        .after(nodes.synced())
        .after(pods.synced())
        .after(claims.synced())
        .after(volumes.synced())
        .after(drivers.synced())
        .after(attachments.synced());
    let queue = controller.queue();
    let of_pods = queue.clone();
    pods.on_change(move |change| {
        let pod = change.entry();
        if pod.view.claims(pod.object.name()).next().is_some() {
            request(&pod.view.spec.node_name, &of_pods);
        }
    });
    let (of_claims, users) = (queue.clone(), pods.clone());
    claims.on_change(move |change| {
        request_users(&users, &ObjectKey::of(change.object()).to_string(), &of_claims);
    });
    let (of_attachments, known) = (queue.clone(), volumes);
    attachments.on_change(move |change| {
        let view = &change.entry().view;
        request(&view.spec.node_name, &of_attachments);
        // Another node may wait for it.
        if let (Change::Deleted(_), Some(volume)) = (change, known.get("", view.volume())) {
            let claim = plan::claim_of(&volume.object).unwrap_or_default();
            request_users(&pods, &claim, &of_attachments);
        }
    });
    nodes.on_change(move |change| {
        let same = matches!(change, Change::Updated { old, new }
            if old.view.status.volumes_in_use == new.view.status.volumes_in_use
                && old.view.status.volumes_attached == new.view.status.volumes_attached
                && old.view.condition("Ready") == new.view.condition("Ready")
                && plan::is_out_of_service(&old.view) == plan::is_out_of_service(&new.view));
        if !same {
            request(change.object().name(), &queue);
        }
    });
    Box::new(controller)
}

fn request(node: &str, queue: &Queue) {
    if !node.is_empty() {
        queue.add(ObjectKey::new("", node));
    }
}

fn request_users(pods: &Pods, claim: &str, queue: &Queue) {
    pods.by_index(BY_CLAIM, claim).iter().for_each(|pod| request(&pod.view.spec.node_name, queue));
}
