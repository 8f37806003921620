//! downwardAPI: what the pod says about itself, as files.

use super::payload::Payload;
use super::{Made, Setup, VolumeError, VolumePlugin};
use crate::environment::{Facts, field, resource_field};
use crate::pod::PodExt;
use async_trait::async_trait;
use windlass_core::apis::core::v1::{DownwardAPIVolumeFile, Volume};

pub(super) struct DownwardApi;

#[async_trait]
impl VolumePlugin for DownwardApi {
    fn claims(&self, volume: &Volume) -> bool {
        volume.downward_api.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        let source = setup.volume.downward_api.clone().unwrap_or_default();
        let mut payload = Payload::default();
        add(setup, source.items.iter().flatten(), source.default_mode, &mut payload)?;
        setup.write(setup.volatile_dir("downward-api").await?, payload).await
    }
}

/// Adds the files of a list of items.
pub(super) fn add<'a>(
    setup: &Setup<'_>,
    items: impl Iterator<Item = &'a DownwardAPIVolumeFile>,
    mode: Option<i32>,
    payload: &mut Payload,
) -> Result<(), VolumeError> {
    let config = &setup.host.config;
    let facts =
        Facts { hostname: "", host_ip: config.node_ip, pod_ips: &[], machine: &config.machine };
    for item in items {
        let value = if let Some(reference) = &item.field_ref {
            field(setup.pod, &reference.field_path, &facts)
        } else if let Some(reference) = &item.resource_field_ref {
            let name = reference.container_name.as_deref().unwrap_or_default();
            let containers = setup.pod.containers();
            let container = containers.iter().find(|(_, c)| c.name == name);
            let (_, container) = container
                .ok_or_else(|| VolumeError::Unmet(format!("container {name} not found")))?;
            resource_field(container, reference, &facts)
        } else {
            continue;
        };
        let value = value.map_err(|error| VolumeError::Unmet(error.to_string()))?;
        payload.add(&item.path, value.into_bytes(), item.mode.or(mode))?;
    }
    Ok(())
}
