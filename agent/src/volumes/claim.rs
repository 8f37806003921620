//! persistentVolumeClaim: what a claim is bound to, when that is a place of this node.

use super::{Made, Setup, VolumeError, VolumePlugin, blocking, host_path, ownership};
use crate::pod::PodExt;
use async_trait::async_trait;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim, Volume};
use windlass_core::scheme::{PERSISTENTVOLUMECLAIMS, PERSISTENTVOLUMES};

pub(super) struct Claim;

#[async_trait]
impl VolumePlugin for Claim {
    fn claims(&self, volume: &Volume) -> bool {
        volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        let named = setup.volume.persistent_volume_claim.as_ref();
        let own = || format!("{}-{}", setup.pod.name(), setup.volume.name);
        let name = named.map_or_else(own, |source| source.claim_name.clone());
        let volume = bound(setup, &name).await?;
        let spec = volume.spec.unwrap_or_default();
        let mut made = if let Some(local) = spec.local {
            host_path::make(local.path.into(), "Directory".into()).await?
        } else if let Some(path) = spec.host_path {
            host_path::make(path.path.into(), path.type_.unwrap_or_default()).await?
        } else {
            return Err(VolumeError::Unmet(format!(
                "no volume plugin matched for the volume of claim \"{name}\""
            )));
        };
        made.read_only = named.is_some_and(|source| source.read_only == Some(true));
        if let Some(group) = ownership::fs_group(setup.pod).filter(|_| !made.read_only) {
            let path = made.path.clone();
            blocking(move || ownership::give(&path, group, true)).await?;
        }
        Ok(made)
    }
}

async fn bound(setup: &Setup<'_>, name: &str) -> Result<PersistentVolume, VolumeError> {
    let (uid, references) = (setup.pod.uid(), &setup.host.references);
    let namespace = setup.pod.namespace();
    let claim = references.get(uid, PERSISTENTVOLUMECLAIMS, namespace, name).await?;
    let claim = claim
        .ok_or_else(|| VolumeError::Unmet(format!("persistentvolumeclaim \"{name}\" not found")))?;
    let claim = claim.view::<PersistentVolumeClaim>()?;
    let phase = claim.status.and_then(|status| status.phase);
    let volume = claim.spec.and_then(|spec| spec.volume_name);
    let (Some("Bound"), Some(volume)) = (phase.as_deref(), volume) else {
        return Err(VolumeError::Unmet(format!("PVC {namespace}/{name} is not bound")));
    };
    let object = references.get(uid, PERSISTENTVOLUMES, "", &volume).await?;
    let object = object
        .ok_or_else(|| VolumeError::Unmet(format!("persistentvolume \"{volume}\" not found")))?;
    Ok(object.view::<PersistentVolume>()?)
}
