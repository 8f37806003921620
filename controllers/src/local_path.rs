//! Volumes that are folders of a node, made when a claim asks for one: so that a claim works out of the box.
//!
//! Runs on each node, beside its agent. Watches: claims that name this provisioner and this node; the node's pods, which
//! may have come without a scheduler and so without a choice of node for their claims; volumes that it made and nobody
//! claims any more. A folder is only as large as its disk: the size that a claim asks for is not kept.

mod folders;
mod plan;
mod sync;

#[cfg(test)]
mod tests;

use crate::Context;
use crate::support::storage::{Caches, DEFAULT_CLASS};
use crate::views::{self, BY_CLAIM, PodView};
use serde_json::json;
use std::path::PathBuf;
use sync::Request;
use windlass_core::cache::Change;
use windlass_core::client::{Client, Key, WriteOptions};
use windlass_core::component::Component;
use windlass_core::controller::{Controller, ObjectKey};
use windlass_core::{Result, scheme};

/// The provisioner's name in classes.
pub const PROVISIONER: &str = "windlass.dev/local-path";
/// The class that [`default_class`] makes.
pub const CLASS: &str = "local-path";

/// The provisioner of the node `node`; folders are made in `root`, each named as its volume.
#[must_use]
pub fn component(context: &Context, node: &str, root: PathBuf) -> Box<dyn Component> {
    let place = plan::Place { node: node.to_owned(), root };
    let pods =
        context.informers.filtered::<PodView>(scheme::PODS, &format!("spec.nodeName={node}"));
    pods.add_index(BY_CLAIM, views::claim_keys);
    let caches = Caches::new(context, pods);
    let sync = sync::Sync::new(context, place, caches.clone());
    let controller = caches.before(Controller::new("local-path-provisioner", sync));
    let queue = controller.queue();
    let Caches { claims, volumes, pods, .. } = caches;
    let of_claims = queue.clone();
    claims.on_change(move |change| {
        let waits = change.entry().view.volume().is_none();
        if waits && !matches!(change, Change::Deleted(_)) {
            of_claims.add(Request::Claim(ObjectKey::of(change.object())));
        }
    });
    let of_pods = queue.clone();
    pods.on_change(move |change| {
        let pod = change.entry();
        for claim in pod.view.claims(pod.object.name()) {
            of_pods.add(Request::Claim(ObjectKey::new(pod.object.namespace(), claim)));
        }
    });
    volumes.on_change(move |change| {
        let released = change.entry().view.status.phase == "Released";
        if released && !matches!(change, Change::Deleted(_)) {
            queue.add(Request::Volume(change.object().name().to_owned()));
        }
    });
    Box::new(controller)
}

/// Makes the default StorageClass of a cluster whose nodes run this provisioner, unless a class has its name. May be
/// called again.
///
/// # Errors
/// When the server says no.
pub async fn default_class(client: &dyn Client) -> Result<()> {
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {DEFAULT_CLASS: "true"}},
        "provisioner": PROVISIONER, "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete"});
    let key = Key::cluster(scheme::STORAGECLASSES, CLASS);
    match client.create(&key, class.to_string().into(), &WriteOptions::default()).await {
        Err(error) if !error.is_already_exists() => Err(error),
        _ => Ok(()),
    }
}
