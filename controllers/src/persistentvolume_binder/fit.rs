//! Which volumes a claim may take.

use crate::support::storage::class_of;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::meta::{LabelSelector, Quantity};

/// The smallest volume that fits; one that was set aside for the claim before all.
pub(super) fn best<'a>(
    claim: &PersistentVolumeClaim,
    volumes: &'a [PersistentVolume],
) -> Option<&'a PersistentVolume> {
    let fitting = volumes.iter().filter(|volume| fits(claim, volume));
    fitting.min_by_key(|volume| {
        (!is_reserved_for(volume, claim), capacity(volume), volume.metadata.name.clone())
    })
}

/// Whether a volume names the claim as its own.
pub(super) fn is_reserved_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let Some(reserved) = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref()) else {
        return false;
    };
    reserved.namespace == claim.metadata.namespace
        && reserved.name == claim.metadata.name
        && (reserved.uid.as_ref().is_none_or(String::is_empty)
            || reserved.uid == claim.metadata.uid)
}

fn fits(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let (Some(wants), Some(has)) = (&claim.spec, &volume.spec) else { return false };
    if volume.metadata.deletion_timestamp.is_some() {
        return false;
    }
    let named = wants.volume_name.as_deref().unwrap_or_default();
    if !named.is_empty() && volume.metadata.name.as_deref() != Some(named) {
        return false;
    }
    if is_reserved_for(volume, claim) {
        return true;
    }
    let phase =
        volume.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
    let free = has.claim_ref.is_none() && matches!(phase, "" | "Pending" | "Available");
    let class = class_of(claim) == has.storage_class_name.as_deref().unwrap_or_default();
    let modes = wants
        .access_modes
        .iter()
        .flatten()
        .all(|mode| has.access_modes.iter().flatten().any(|m| m == mode));
    let filesystem =
        |mode: &Option<String>| mode.as_deref().is_none_or(|mode| mode == "Filesystem");
    let mode = filesystem(&wants.volume_mode) == filesystem(&has.volume_mode);
    let large = requested(claim).is_none_or(|wanted| capacity(volume) >= wanted);
    free && class && modes && mode && large && is_selected(claim, volume)
}

fn is_selected(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let selector = claim.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let Some(selector) = selector.map(LabelSelector::from_api) else { return true };
    let labels = volume.metadata.labels.as_ref();
    let get = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    selector.is_ok_and(|selector| selector.matches_with(get))
}

fn capacity(volume: &PersistentVolume) -> Quantity {
    let storage = volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref()?.get("storage"));
    storage.and_then(|storage| storage.0.parse().ok()).unwrap_or_default()
}

fn requested(claim: &PersistentVolumeClaim) -> Option<Quantity> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    resources.requests.as_ref()?.get("storage")?.0.parse().ok()
}
