//! projected: several sources in one folder.

use super::payload::{Payload, Selection};
use super::{Made, Setup, VolumeError, VolumePlugin, config_map, downward, secret, token};
use async_trait::async_trait;
use windlass_core::apis::core::v1::{Volume, VolumeProjection};

pub(super) struct Projected;

#[async_trait]
impl VolumePlugin for Projected {
    fn claims(&self, volume: &Volume) -> bool {
        volume.projected.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        let source = setup.volume.projected.clone().unwrap_or_default();
        let mut payload = Payload::default();
        for projection in source.sources.iter().flatten() {
            add(setup, projection, source.default_mode, &mut payload).await?;
        }
        setup.write(setup.volatile_dir("projected").await?, payload).await
    }
}

async fn add(
    setup: &Setup<'_>,
    source: &VolumeProjection,
    mode: Option<i32>,
    payload: &mut Payload,
) -> Result<(), VolumeError> {
    if let Some(map) = &source.config_map {
        let optional = map.optional == Some(true);
        let data = config_map::read(setup, &map.name, optional).await?;
        let items = map.items.as_ref();
        payload.select(Selection { what: "config", data, items, mode, optional })?;
    }
    if let Some(named) = &source.secret {
        let optional = named.optional == Some(true);
        let data = secret::read(setup, &named.name, optional).await?;
        let items = named.items.as_ref();
        payload.select(Selection { what: "secret", data, items, mode, optional })?;
    }
    if let Some(own) = &source.downward_api {
        downward::add(setup, own.items.iter().flatten(), mode, payload)?;
    }
    if let Some(wanted) = &source.service_account_token {
        token::add(setup, wanted, mode, payload).await?;
    }
    Ok(())
}
