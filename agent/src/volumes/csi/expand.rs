//! Growing a volume's file system after its claim was granted more.

use super::{Mounting, refused};
use crate::plugins::csi::Capability;
use crate::plugins::proto::csi::{CapacityRange, NodeExpandVolumeRequest};
use crate::pod::PodExt;
use crate::volumes::VolumeError;
use serde_json::json;
use windlass_core::apis::Quantity;
use windlass_core::apis::core::v1::{PersistentVolume, PersistentVolumeClaim};
use windlass_core::client::{Key, Patch, WriteOptions};
use windlass_core::meta;
use windlass_core::scheme::PERSISTENTVOLUMECLAIMS;

/// The size to grow to, if the volume has more than its claim was told yet.
fn wanted(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<(Quantity, i64)> {
    let bytes = |quantity: &Quantity| Some(quantity.0.parse::<meta::Quantity>().ok()?.units());
    let has = volume.spec.as_ref()?.capacity.as_ref()?.get("storage")?;
    let told = claim.status.as_ref()?.capacity.as_ref()?.get("storage")?;
    (bytes(has)? > bytes(told)?).then_some((has.clone(), bytes(has)?))
}

/// Grows the volume if it has to, and tells its claim.
pub(super) async fn if_wanted(
    mounting: &Mounting<'_>,
    volume: &PersistentVolume,
    claim: &PersistentVolumeClaim,
) -> Result<(), VolumeError> {
    let Some((size, required_bytes)) = wanted(volume, claim) else { return Ok(()) };
    let Mounting { driver, source, csi, record, setup, .. } = mounting;
    if driver.can(Capability::ExpandVolume) && !source.read_only {
        let staged = record.staging(&csi.root).join("globalmount");
        let staged = mounting.stages().then(|| staged.display().to_string());
        let request = NodeExpandVolumeRequest {
            volume_id: source.handle.clone(),
            volume_path: mounting.folder().join("mount").display().to_string(),
            capacity_range: Some(CapacityRange { required_bytes, limit_bytes: 0 }),
            staging_target_path: staged.unwrap_or_default(),
            volume_capability: Some(mounting.capability()),
            secrets: mounting.secrets(source.expand_secret.as_ref()).await?,
        };
        let lock = csi.lock(record);
        let _one = lock.lock().await;
        driver.client().node_expand_volume(request).await.map_err(refused)?;
    }
    let status = claim.status.as_ref();
    let left: Vec<_> = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten()
        .filter(|condition| {
            !matches!(condition.type_.as_str(), "Resizing" | "FileSystemResizePending")
        })
        .collect();
    // A merge patch: the list is replaced as a whole.
    let patch = json!({"status": {
        "capacity": {"storage": size}, "conditions": left, "allocatedResourceStatuses": null,
    }});
    let name = claim.metadata.name.clone().unwrap_or_default();
    let key = Key::new(PERSISTENTVOLUMECLAIMS, setup.pod.namespace(), name).subresource("status");
    let options = WriteOptions::manager("kubelet");
    setup.host.client.patch(&key, Patch::merge(&patch), &options).await?;
    Ok(())
}
