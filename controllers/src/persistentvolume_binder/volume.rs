//! What to say of a volume.

use super::claim::{BOUND_BY, is_completed};
use super::fit::is_reserved_for;
use crate::support::ops::Op;
use crate::support::owner::{name_of, reference};
use crate::support::storage::PROVISIONED_BY;
use serde_json::json;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::client::Key;
use windlass_core::scheme::{self, GroupVersionKind};

const VOLUME: GroupVersionKind = GroupVersionKind::new("", "v1", "PersistentVolume");

/// What makes the phase of a volume true. `claim` is the one that the volume names, if it is there.
pub(super) fn plan(volume: &PersistentVolume, claim: Option<&PersistentVolumeClaim>) -> Vec<Op> {
    let name = name_of(&volume.metadata);
    let reserved = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let uid = reserved.and_then(|reserved| reserved.uid.as_deref()).unwrap_or_default();
    let names_us = |claim: &PersistentVolumeClaim| {
        claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()) == Some(name)
    };
    let phase = match claim.filter(|claim| is_reserved_for(volume, claim)) {
        _ if uid.is_empty() => "Available",
        None => return released(volume),
        Some(claim) if names_us(claim) => "Bound",
        Some(claim) if is_completed(claim) => return unneeded(volume),
        // It was chosen and the claim does not show it yet.
        Some(_) => return vec![],
    };
    set_phase(volume, phase, "").into_iter().collect()
}

/// Its claim has another volume for good. What was made for the claim goes; what was chosen for it is free again; and what a
/// user set aside stays set aside for claims of that name.
fn unneeded(volume: &PersistentVolume) -> Vec<Op> {
    let (meta, spec) = (&volume.metadata, volume.spec.as_ref());
    let noted = |key: &str| meta.annotations.as_ref().is_some_and(|all| all.contains_key(key));
    let policy = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    if noted(PROVISIONED_BY) && policy == Some("Delete") {
        return released(volume);
    }
    let patch = match noted(BOUND_BY) {
        true => {
            json!({"metadata": {"resourceVersion": meta.resource_version, "annotations": {BOUND_BY: null}}, "spec": {"claimRef": null}})
        }
        false => {
            json!({"metadata": {"resourceVersion": meta.resource_version}, "spec": {"claimRef": {"uid": null, "resourceVersion": null}}})
        }
    };
    vec![Op::Patch(Key::cluster(scheme::PERSISTENTVOLUMES, name_of(meta)), patch)]
}

/// Its claim is gone. Who made the volume deletes it when it says so; what nobody made nobody deletes.
fn released(volume: &PersistentVolume) -> Vec<Op> {
    let spec = volume.spec.clone().unwrap_or_default();
    let made = volume.metadata.annotations.as_ref().and_then(|all| all.get(PROVISIONED_BY));
    let name = name_of(&volume.metadata);
    let failure = match spec.persistent_volume_reclaim_policy.as_deref() {
        Some("Delete") if made.is_none() => (
            "VolumeFailedDelete",
            format!(
                "error getting deleter volume plugin for volume \"{name}\": no deletable volume plugin matched"
            ),
        ),
        Some("Recycle") => {
            ("VolumeFailedRecycle", "No recycler plugin found for the volume!".to_owned())
        }
        _ => return set_phase(volume, "Released", "").into_iter().collect(),
    };
    let Some(op) = set_phase(volume, "Failed", &failure.1) else { return vec![] };
    vec![op, Op::warning(reference(&VOLUME, &volume.metadata), failure.0, failure.1)]
}

fn set_phase(volume: &PersistentVolume, phase: &str, message: &str) -> Option<Op> {
    let now = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    if now == Some(phase) {
        return None;
    }
    let message = Some(message).filter(|message| !message.is_empty());
    let status = json!({"phase": phase, "message": message});
    // What is said of it here may have it deleted: only of what it was when it was read.
    let meta = &volume.metadata;
    let patch = json!({"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version}, "status": status});
    let key = Key::cluster(scheme::PERSISTENTVOLUMES, name_of(&volume.metadata));
    Some(Op::Patch(key.subresource("status"), patch))
}
