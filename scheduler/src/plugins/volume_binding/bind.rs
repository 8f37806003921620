//! Writes what was chosen, and waits until the claims have their volumes.

use super::find::Choice;
use crate::plugins::volumes::{Claim, ClaimState, SELECTED_NODE, Volume};
use futures::StreamExt;
use serde_json::json;
use std::sync::Arc;
use windlass_core::client::{Client, Key, ListOptions, Patch, Scope, WatchEvent, WriteOptions};
use windlass_core::meta::Status;
use windlass_core::{Error, scheme};

const BOUND_BY: &str = "pv.kubernetes.io/bound-by-controller";

/// Sets a volume aside for its claim, or asks for one that is made for the node.
pub(super) async fn write(client: &dyn Client, choice: &Choice, node: &str) -> Result<(), Error> {
    match choice {
        Choice::Bind(claim, volume) => set_aside(client, claim, volume).await,
        Choice::Provision(claim) if claim.selected_node.is_some() => Ok(()),
        Choice::Provision(claim) => {
            let patch =
                json!({"metadata": {"uid": claim.uid, "annotations": {SELECTED_NODE: node}}});
            patch_one(client, &key(claim), &patch).await
        }
    }
}

async fn set_aside(client: &dyn Client, claim: &Claim, volume: &Volume) -> Result<(), Error> {
    if volume.claim.as_ref().is_some_and(|(_, _, uid)| **uid == *claim.uid) {
        return Ok(());
    }
    let claim_ref = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "namespace": claim.namespace, "name": claim.name, "uid": claim.uid});
    let mut patch = json!({"metadata": {"uid": volume.uid, "resourceVersion": volume.resource_version},
        "spec": {"claimRef": claim_ref}});
    if volume.claim.is_none() {
        patch["metadata"]["annotations"] = json!({BOUND_BY: "yes"});
    }
    patch_one(client, &Key::cluster(scheme::PERSISTENTVOLUMES, &*volume.name), &patch).await
}

async fn patch_one(client: &dyn Client, key: &Key, patch: &serde_json::Value) -> Result<(), Error> {
    client.patch(key, Patch::merge(patch), &WriteOptions::default()).await.map(drop)
}

/// Until the claim is bound. Whoever waits sets the deadline.
pub(super) async fn bound(
    client: &dyn Client,
    claim: &Arc<Claim>,
    made: bool,
) -> Result<(), Error> {
    let scope = Scope::namespace(scheme::PERSISTENTVOLUMECLAIMS, &*claim.namespace);
    let options = ListOptions {
        field_selector: format!("metadata.name={}", claim.name),
        ..ListOptions::default()
    };
    loop {
        let mut changes = client.watch(&scope, &options).await?;
        while let Some(batch) = changes.next().await {
            for event in batch? {
                let object = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => object,
                    WatchEvent::Deleted(_) => return Err(gone(claim, "was deleted")),
                    WatchEvent::Bookmark { .. } => continue,
                };
                let now = Claim::new(&object)?;
                match now.state {
                    _ if now.uid != claim.uid => return Err(gone(claim, "was made anew")),
                    ClaimState::Bound => return Ok(()),
                    ClaimState::Lost => return Err(gone(claim, "lost its volume")),
                    ClaimState::Deleting => return Err(gone(claim, "is being deleted")),
                    // Whoever makes volumes takes the node away when it can't make one there.
                    ClaimState::Pending if made && now.selected_node.is_none() => {
                        return Err(gone(claim, "could not be provisioned for the node"));
                    }
                    ClaimState::Pending => {}
                }
            }
        }
    }
}

fn gone(claim: &Claim, what: &str) -> Error {
    Error::Status(Box::new(Status::internal(format!(
        "persistentvolumeclaim {:?} {what}",
        &*claim.name
    ))))
}

fn key(claim: &Claim) -> Key {
    Key::new(scheme::PERSISTENTVOLUMECLAIMS, &*claim.namespace, &*claim.name)
}
