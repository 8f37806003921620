//! What to say of a volume.

use super::fit::is_reserved_for;
use crate::support::ops::Op;
use crate::support::owner::name_of;
use serde_json::json;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::client::Key;
use windlass_core::scheme;

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
        None => "Released",
        Some(claim) if names_us(claim) => "Bound",
        // It was chosen and the claim does not show it yet.
        Some(_) => return vec![],
    };
    let now = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    if now == Some(phase) {
        return vec![];
    }
    let patch = json!({"metadata": {"uid": volume.metadata.uid}, "status": {"phase": phase}});
    vec![Op::Patch(Key::cluster(scheme::PERSISTENTVOLUMES, name).subresource("status"), patch)]
}
