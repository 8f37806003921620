//! configMap: the data of a ConfigMap as files.

use super::payload::{Payload, Selection};
use super::{Made, Setup, VolumeError, VolumePlugin};
use crate::pod::PodExt;
use async_trait::async_trait;
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::{ConfigMap, Volume};
use windlass_core::scheme::CONFIGMAPS;

pub(super) struct ConfigMapVolume;

#[async_trait]
impl VolumePlugin for ConfigMapVolume {
    fn claims(&self, volume: &Volume) -> bool {
        volume.config_map.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        let source = setup.volume.config_map.clone().unwrap_or_default();
        let optional = source.optional == Some(true);
        let data = read(setup, &source.name, optional).await?;
        let mut payload = Payload::default();
        payload.select(Selection {
            what: "config",
            data,
            items: source.items.as_ref(),
            mode: source.default_mode,
            optional,
        })?;
        setup.write(setup.dir("configmap"), payload).await
    }
}

/// The data of a ConfigMap; nothing when it is missing and may be.
pub(super) async fn read(
    setup: &Setup<'_>,
    name: &str,
    optional: bool,
) -> Result<BTreeMap<String, Vec<u8>>, VolumeError> {
    let (uid, namespace) = (setup.pod.uid(), setup.pod.namespace());
    let object = setup.host.references.get(uid, CONFIGMAPS, namespace, name).await?;
    let Some(object) = object else {
        let missing = || VolumeError::Unmet(format!("configmap \"{name}\" not found"));
        return if optional { Ok(BTreeMap::new()) } else { Err(missing()) };
    };
    let map = object.view::<ConfigMap>()?;
    let text = map.data.unwrap_or_default().into_iter().map(|(k, v)| (k, v.into_bytes()));
    let binary = map.binary_data.unwrap_or_default().into_iter().map(|(k, v)| (k, v.0));
    Ok(text.chain(binary).collect())
}
