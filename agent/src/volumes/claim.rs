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
        let (volume, claim) = bound(setup, &name).await?;
        let read_only = named.is_some_and(|source| source.read_only == Some(true));
        #[cfg(feature = "plugins")]
        if volume.spec.as_ref().is_some_and(|spec| spec.csi.is_some()) {
            return super::csi::persistent(setup, &volume, &claim, read_only).await;
        }
        drop(claim);
        let spec = volume.spec.unwrap_or_default();
        let is_local = spec.local.is_some();
        let mut made = if let Some(local) = spec.local {
            host_path::make(local.path.into(), "Directory".into()).await?
        } else if let Some(path) = spec.host_path {
            host_path::make(path.path.into(), path.type_.unwrap_or_default()).await?
        } else {
            return Err(VolumeError::Unmet(format!(
                "no volume plugin matched for the volume of claim \"{name}\""
            )));
        };
        made.read_only = read_only;
        // A folder of the node that anybody may name is not given away.
        if let Some(group) = ownership::fs_group(setup.pod).filter(|_| is_local && !read_only) {
            let (path, pod) = (made.path.clone(), setup.pod.clone());
            blocking(move || ownership::give_lasting(&path, group, &pod)).await?;
        }
        Ok(made)
    }
}

async fn bound(
    setup: &Setup<'_>,
    name: &str,
) -> Result<(PersistentVolume, PersistentVolumeClaim), VolumeError> {
    let (uid, references) = (setup.pod.uid(), &setup.host.references);
    let namespace = setup.pod.namespace();
    let claim = references.get(uid, PERSISTENTVOLUMECLAIMS, namespace, name).await?;
    let claim = claim
        .ok_or_else(|| VolumeError::Unmet(format!("persistentvolumeclaim \"{name}\" not found")))?;
    let claim = claim.view::<PersistentVolumeClaim>()?;
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref());
    let (Some("Bound"), Some(volume)) = (phase, volume) else {
        return Err(VolumeError::Unmet(format!("PVC {namespace}/{name} is not bound")));
    };
    let object = references.get(uid, PERSISTENTVOLUMES, "", volume).await?;
    let object = object
        .ok_or_else(|| VolumeError::Unmet(format!("persistentvolume \"{volume}\" not found")))?;
    Ok((object.view()?, claim))
}
