//! Writes what was allocated, and for whom.

use super::Allocated;
use crate::framework::Placement;
use serde_json::{Value, json};
use windlass_core::apis::resource::v1::ResourceClaim;
use windlass_core::client::{Client, Key, Patch, WriteOptions};
use windlass_core::{Error, scheme};

/// Keeps a claim there while somebody has its devices.
const FINALIZER: &str = "resource.kubernetes.io/delete-protection";

/// So often a change is tried that others come before.
const ATTEMPTS: usize = 8;

/// Gives a claim its devices, if it has none, and reserves it for the pod.
pub(super) async fn reserve(
    client: &dyn Client,
    allocated: &Allocated,
    placement: &Placement,
) -> Result<(), Error> {
    for _ in 0..ATTEMPTS {
        match try_reserve(client, allocated, placement).await {
            // Pods that share a claim reserve it at the same time.
            Err(error) if error.is_conflict() => {}
            done => return done,
        }
    }
    Err(changes_too_often(&allocated.claim))
}

async fn try_reserve(
    client: &dyn Client,
    allocated: &Allocated,
    placement: &Placement,
) -> Result<(), Error> {
    let claim = &allocated.claim;
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    let key = Key::new(scheme::RESOURCECLAIMS, &*placement.pod.namespace, name);
    // As it is now: others may have reserved it since.
    let now: ResourceClaim = client.get(&key).await?.view()?;
    if now.metadata.uid != claim.metadata.uid || has_others(&now, allocated) {
        return Err(Error::Transport(format!("claim {name} is not what it was")));
    }
    let mut version = now.metadata.resource_version.clone();
    let finalizers = now.metadata.finalizers.clone().unwrap_or_default();
    if !allocated.results.is_empty() && !finalizers.iter().any(|f| f == FINALIZER) {
        let finalizers: Vec<_> = finalizers.into_iter().chain([FINALIZER.into()]).collect();
        let patch = json!({"metadata": {"uid": claim.metadata.uid, "resourceVersion": version,
            "finalizers": finalizers}});
        let patched = client.patch(&key, Patch::merge(&patch), &WriteOptions::default()).await?;
        version = Some(patched.header().resource_version.to_string());
    }
    let Some(status) = status(allocated, &now, placement) else { return Ok(()) };
    let patch = json!({"metadata": {"uid": claim.metadata.uid, "resourceVersion": version}, "status": status});
    let key = key.subresource("status");
    client.patch(&key, Patch::merge(&patch), &WriteOptions::default()).await.map(drop)
}

/// Whether somebody has given the claim other devices meanwhile.
fn has_others(now: &ResourceClaim, allocated: &Allocated) -> bool {
    let allocation = now.status.as_ref().and_then(|status| status.allocation.as_ref());
    allocation.is_some_and(|allocation| {
        let results = allocation.devices.as_ref().and_then(|devices| devices.results.as_ref());
        !allocated.results.is_empty() && results != Some(&allocated.results)
    })
}

fn changes_too_often(claim: &ResourceClaim) -> Error {
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    Error::Transport(format!("claim {name} changes too often"))
}

/// What changes of the claim's status; nothing when it says so already.
fn status(allocated: &Allocated, now: &ResourceClaim, placement: &Placement) -> Option<Value> {
    let old = now.status.clone().unwrap_or_default();
    let mut users = old.reserved_for.unwrap_or_default();
    let reserved = users.iter().any(|user| *user.uid == *placement.pod.uid);
    let missing = old.allocation.is_none() && !allocated.results.is_empty();
    if reserved && !missing {
        return None;
    }
    if !reserved {
        users.push(windlass_core::apis::resource::v1::ResourceClaimConsumerReference {
            resource: "pods".into(),
            name: placement.pod.name.to_string(),
            uid: placement.pod.uid.to_string(),
            api_group: None,
        });
    }
    let mut status = json!({"reservedFor": users});
    if missing {
        let mut allocation = json!({"devices": {"results": allocated.results}});
        if !allocated.config.is_empty() {
            allocation["devices"]["config"] = json!(allocated.config);
        }
        if allocated.local {
            let here =
                json!({"key": "metadata.name", "operator": "In", "values": [placement.node]});
            allocation["nodeSelector"] = json!({"nodeSelectorTerms": [{"matchFields": [here]}]});
        }
        status["allocation"] = allocation;
    }
    Some(status)
}

/// Takes a claim's reservation for a pod back, if it has one.
pub(super) async fn release(
    client: &dyn Client,
    claim: &ResourceClaim,
    placement: &Placement,
) -> Result<(), Error> {
    let name = claim.metadata.name.as_deref().unwrap_or_default();
    let key = Key::new(scheme::RESOURCECLAIMS, &*placement.pod.namespace, name);
    for _ in 0..ATTEMPTS {
        let now: ResourceClaim = match client.get(&key).await {
            Err(error) if error.is_not_found() => return Ok(()),
            found => found?.view()?,
        };
        let mut users = now.status.and_then(|status| status.reserved_for).unwrap_or_default();
        let count = users.len();
        users.retain(|user| *user.uid != *placement.pod.uid);
        if users.len() == count || now.metadata.uid != claim.metadata.uid {
            return Ok(());
        }
        let patch = json!({"metadata": {"resourceVersion": now.metadata.resource_version},
            "status": {"reservedFor": users}});
        let status = key.clone().subresource("status");
        match client.patch(&status, Patch::merge(&patch), &WriteOptions::default()).await {
            Err(error) if error.is_conflict() => {}
            written => return written.map(drop),
        }
    }
    Err(changes_too_often(claim))
}
