//! Waiting until a volume is attached to this node.

use super::record::Record;
use crate::pod::PodExt;
use crate::volumes::{Setup, VolumeError};
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::Node;
use windlass_core::apis::storage::v1::VolumeAttachment;
use windlass_core::client::{ClientExt, Key};
use windlass_core::scheme::{NODES, VOLUMEATTACHMENTS};

/// What was said when it was attached. The Node says when that is: the pod's worker is told when it changes.
pub(super) async fn wait(
    setup: &Setup<'_>,
    record: &Record,
) -> Result<BTreeMap<String, String>, VolumeError> {
    let (uid, name) = (setup.pod.uid(), &setup.host.config.node_name);
    let node = setup.host.references.get(uid, NODES, "", name).await?;
    let node = node.ok_or_else(|| VolumeError::Unmet(format!("node \"{name}\" not found")))?;
    let status = node.view::<Node>()?.status.unwrap_or_default();
    let volume = record.unique_name();
    if !status.volumes_attached.iter().flatten().any(|attached| attached.name == volume) {
        let why = format!("volume attachment is being waited for: {volume} is not attached");
        return Err(VolumeError::Unmet(why));
    }
    let key = Key::cluster(VOLUMEATTACHMENTS, &record.attachment);
    let attachment = setup.host.client.get_as::<VolumeAttachment>(&key).await?;
    let status = attachment.status.unwrap_or_default();
    if let (false, Some(error)) = (status.attached, status.attach_error) {
        return Err(VolumeError::Unmet(error.message.unwrap_or_default()));
    }
    if !status.attached {
        let why = format!("volume attachment {} is not attached", record.attachment);
        return Err(VolumeError::Unmet(why));
    }
    Ok(status.attachment_metadata.unwrap_or_default())
}
