//! Which volume to make, which to delete.

use super::PROVISIONER as NAME;
use crate::support::owner::{name_of, namespace_of, uid_of};
use crate::support::storage::{
    ClassView, PROVISIONED_BY, PROVISIONER, SELECTED_NODE, annotation, class_of,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::client::Key;
use windlass_core::scheme;

const HOST: &str = "kubernetes.io/hostname";

/// This node and where its folders are.
pub(super) struct Place {
    pub(super) node: String,
    pub(super) root: PathBuf,
}

/// What to do about a claim.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It is not for this provisioner, or not for this node, or not yet.
    Nothing,
    /// A pod on this node uses it, and nobody has said that the volume has to be here.
    Select,
    /// It asks for what a folder can't be.
    Refuse(&'static str),
    /// Make the folder, then the volume.
    Make(PathBuf, Value),
}

/// The volume for a claim. Its name follows from the claim's, so that it is made once. `used_here`: a pod that is bound to
/// this node uses it; pods that a scheduler bound have a node selected for their claims before that.
pub(super) fn claim(
    place: &Place,
    claim: &PersistentVolumeClaim,
    class: Option<&ClassView>,
    used_here: bool,
) -> Step {
    let spec = claim.spec.clone().unwrap_or_default();
    let Some(class) = class.filter(|class| class.provisioner == NAME) else { return Step::Nothing };
    let asked = PROVISIONER.iter().any(|mark| annotation(claim, mark) == Some(NAME));
    // A class that binds at once says nothing of nodes: then the cluster must have one only.
    let here = annotation(claim, SELECTED_NODE) == Some(&*place.node);
    let bound = spec.volume_name.as_deref().is_some_and(|name| !name.is_empty());
    if bound || claim.metadata.deletion_timestamp.is_some() {
        return Step::Nothing;
    }
    if used_here && class.waits_for_consumer() && annotation(claim, SELECTED_NODE).is_none() {
        return Step::Select;
    }
    if !asked || !here {
        return Step::Nothing;
    }
    if spec.volume_mode.as_deref() == Some("Block") {
        return Step::Refuse("block volumes are not supported");
    }
    let modes = spec.access_modes.clone().unwrap_or_default();
    if modes.iter().any(|mode| mode != "ReadWriteOnce" && mode != "ReadWriteOncePod") {
        return Step::Refuse("only ReadWriteOnce and ReadWriteOncePod access modes are supported");
    }
    let meta = &claim.metadata;
    let name = format!("pvc-{}", uid_of(meta));
    let path = place.root.join(&name);
    let storage = spec.resources.and_then(|resources| resources.requests).unwrap_or_default();
    let term =
        json!({"matchExpressions": [{"key": HOST, "operator": "In", "values": [place.node]}]});
    let claim_ref = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace_of(meta),
        "name": name_of(meta), "uid": uid_of(meta)});
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: NAME}},
        "spec": {
            "capacity": {"storage": storage.get("storage")},
            "accessModes": modes,
            "persistentVolumeReclaimPolicy": class.reclaim_policy.as_deref().unwrap_or("Delete"),
            "storageClassName": class_of(claim),
            "volumeMode": "Filesystem",
            "claimRef": claim_ref,
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        },
    });
    Step::Make(path, volume)
}

/// The folder of a volume that this provisioner made on this node and that is to be deleted. Only the very folder that
/// it would make: a path in an object is not to be trusted with a delete.
pub(super) fn discarded(place: &Place, volume: &PersistentVolume) -> Option<PathBuf> {
    let (spec, notes) = (volume.spec.as_ref()?, volume.metadata.annotations.as_ref()?);
    let phase = volume.status.as_ref()?.phase.as_deref()?;
    let ours = notes.get(PROVISIONED_BY).is_some_and(|by| by == NAME) && is_here(place, volume);
    let unwanted = phase == "Released"
        && spec.persistent_volume_reclaim_policy.as_deref() == Some("Delete")
        && volume.metadata.deletion_timestamp.is_none();
    let name = name_of(&volume.metadata);
    let path = place.root.join(name);
    let same = spec.local.as_ref().is_some_and(|local| Path::new(&local.path) == path);
    (ours && unwanted && same && name.starts_with("pvc-")).then_some(path)
}

/// Where the claim is that a volume is for.
pub(super) fn claim_key(volume: &PersistentVolume) -> Option<Key> {
    let claim = volume.spec.as_ref()?.claim_ref.as_ref()?;
    let (namespace, name) = (claim.namespace.as_deref()?, claim.name.as_deref()?);
    Some(Key::new(scheme::PERSISTENTVOLUMECLAIMS, namespace, name))
}

/// Whether this is the claim a volume is for, and not another one of its name.
pub(super) fn is_claimed_by(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let reserved = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    reserved.is_some_and(|reserved| reserved.uid == claim.metadata.uid)
}

fn is_here(place: &Place, volume: &PersistentVolume) -> bool {
    let affinity = volume.spec.as_ref().and_then(|spec| spec.node_affinity.as_ref());
    let terms = affinity.and_then(|affinity| affinity.required.as_ref());
    let mut expressions = terms
        .iter()
        .flat_map(|terms| &terms.node_selector_terms)
        .flat_map(|term| term.match_expressions.iter().flatten());
    expressions.any(|wanted| {
        wanted.key == HOST && wanted.values.iter().flatten().any(|node| *node == place.node)
    })
}
