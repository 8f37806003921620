//! What to do about a claim.

use super::fit::is_reserved_for;
use super::provision;
use crate::support::ops::Op;
use crate::support::owner::{name_of, namespace_of, reference, uid_of};
use crate::support::storage::{COMPLETED, ClassView, lacks_class};
use serde_json::json;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::client::Key;
use windlass_core::scheme::{self, GroupVersionKind};

pub(super) const CLAIM: GroupVersionKind = GroupVersionKind::new("", "v1", "PersistentVolumeClaim");
pub(super) const BOUND_BY: &str = "pv.kubernetes.io/bound-by-controller";

/// What there is besides the volumes.
#[derive(Clone, Copy, Default)]
pub(super) struct Around<'a> {
    /// The claim's class, if it is there.
    pub(super) class: Option<&'a ClassView>,
    /// The class of claims that name none.
    pub(super) default: Option<&'a str>,
    /// A pod that uses the claim and has no node yet.
    pub(super) unscheduled: Option<&'a str>,
}

/// What binds a claim, or shows that it is bound, or lost. `volume` is the one it names, when it is bound; before that the
/// one it shall have.
pub(super) fn plan(
    claim: &PersistentVolumeClaim,
    volume: Option<&PersistentVolume>,
    around: Around<'_>,
) -> Vec<Op> {
    let named =
        claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref()).unwrap_or_default();
    if claim.metadata.deletion_timestamp.is_some() {
        return vec![];
    }
    if !is_completed(claim) {
        return volume.map_or_else(|| waits(claim, named, around), |volume| bind(claim, volume));
    }
    match volume {
        Some(volume) if is_reserved_for(volume, claim) => bound(claim, volume),
        // Somebody freed it, and it is here still.
        Some(volume) if is_free(volume) => bind(claim, volume),
        _ => lost(claim, named),
    }
}

/// Whether these give away a volume that was free.
pub(super) fn gives(ops: &[Op], volume: &PersistentVolume) -> bool {
    let reserves =
        |op: &Op| matches!(op, Op::Patch(key, _) if key.resource == scheme::PERSISTENTVOLUMES);
    is_free(volume) && ops.iter().any(reserves)
}

fn is_free(volume: &PersistentVolume) -> bool {
    volume.spec.as_ref().is_some_and(|spec| spec.claim_ref.is_none())
}

pub(super) fn is_completed(claim: &PersistentVolumeClaim) -> bool {
    claim.metadata.annotations.as_ref().is_some_and(|notes| notes.contains_key(COMPLETED))
}

/// First the volume names the claim, so that nobody else takes it; then the claim names the volume.
fn bind(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Vec<Op> {
    let (meta, name) = (&claim.metadata, name_of(&volume.metadata));
    let reserved = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let mut ops = vec![];
    if reserved.and_then(|reserved| reserved.uid.as_deref()) != Some(uid_of(meta)) {
        let claim_ref = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta.namespace,
            "name": meta.name, "uid": meta.uid, "resourceVersion": meta.resource_version});
        let mut patch = json!({"metadata": {"resourceVersion": volume.metadata.resource_version}, "spec": {"claimRef": claim_ref}});
        if reserved.is_none() {
            patch["metadata"]["annotations"] = json!({BOUND_BY: "yes"});
        }
        ops.push(Op::Patch(Key::cluster(scheme::PERSISTENTVOLUMES, name), patch));
    }
    let mut notes = json!({COMPLETED: "yes"});
    if claim.spec.as_ref().is_none_or(|spec| spec.volume_name.as_ref().is_none_or(String::is_empty))
    {
        notes[BOUND_BY] = "yes".into();
    }
    let patch = json!({"metadata": {"resourceVersion": meta.resource_version, "annotations": notes}, "spec": {"volumeName": name}});
    ops.push(Op::Patch(key(claim), patch));
    ops
}

fn bound(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Vec<Op> {
    let spec = volume.spec.as_ref();
    let (modes, capacity) = (
        spec.and_then(|spec| spec.access_modes.clone()),
        spec.and_then(|spec| spec.capacity.clone()),
    );
    let status = claim.status.clone().unwrap_or_default();
    if status.phase.as_deref() == Some("Bound")
        && status.access_modes == modes
        && status.capacity.is_some()
    {
        return vec![];
    }
    vec![set_status(claim, json!({"phase": "Bound", "accessModes": modes, "capacity": capacity}))]
}

fn lost(claim: &PersistentVolumeClaim, volume: &str) -> Vec<Op> {
    if phase(claim) == "Lost" {
        return vec![];
    }
    let message = format!(
        "Bound claim has lost reference to PersistentVolume {volume}. Data on the volume is lost!"
    );
    let event = Op::warning(reference(&CLAIM, &claim.metadata), "ClaimLost", message);
    vec![set_status(claim, json!({"phase": "Lost", "accessModes": null, "capacity": null})), event]
}

fn waits(claim: &PersistentVolumeClaim, named: &str, around: Around<'_>) -> Vec<Op> {
    let mut ops = vec![];
    if phase(claim) != "Pending" {
        ops.push(set_status(claim, json!({"phase": "Pending"})));
    }
    if !named.is_empty() {
        return ops;
    }
    // A default class that came after the claim is the claim's class too (KEP-3333).
    if let Some(class) = around.default.filter(|_| lacks_class(claim)) {
        let version = &claim.metadata.resource_version;
        let patch =
            json!({"metadata": {"resourceVersion": version}, "spec": {"storageClassName": class}});
        return vec![Op::Patch(key(claim), patch)];
    }
    ops.extend(provision::plan(claim, around.class, around.unscheduled));
    ops
}

fn phase(claim: &PersistentVolumeClaim) -> &str {
    claim.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

fn set_status(claim: &PersistentVolumeClaim, status: serde_json::Value) -> Op {
    Op::Patch(
        key(claim).subresource("status"),
        json!({"metadata": {"uid": claim.metadata.uid}, "status": status}),
    )
}

pub(super) fn key(claim: &PersistentVolumeClaim) -> Key {
    Key::new(
        scheme::PERSISTENTVOLUMECLAIMS,
        namespace_of(&claim.metadata),
        name_of(&claim.metadata),
    )
}
