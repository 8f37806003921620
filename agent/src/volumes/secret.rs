//! secret: the data of a Secret as files in memory.

use super::payload::{Payload, Selection};
use super::{Made, Setup, VolumeError, VolumePlugin};
use crate::pod::PodExt;
use async_trait::async_trait;
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::{Secret, Volume};
use windlass_core::scheme::SECRETS;

pub(super) struct SecretVolume;

#[async_trait]
impl VolumePlugin for SecretVolume {
    fn claims(&self, volume: &Volume) -> bool {
        volume.secret.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<Made, VolumeError> {
        let source = setup.volume.secret.clone().unwrap_or_default();
        let optional = source.optional == Some(true);
        let data = read(setup, source.secret_name.as_deref().unwrap_or_default(), optional).await?;
        let mut payload = Payload::default();
        payload.select(Selection {
            what: "secret",
            data,
            items: source.items.as_ref(),
            mode: source.default_mode,
            optional,
        })?;
        setup.write(setup.volatile_dir("secret").await?, payload).await
    }
}

/// The data of a Secret; nothing when it is missing and may be.
pub(super) async fn read(
    setup: &Setup<'_>,
    name: &str,
    optional: bool,
) -> Result<BTreeMap<String, Vec<u8>>, VolumeError> {
    match find(setup, setup.pod.namespace(), name).await? {
        None if optional => Ok(BTreeMap::new()),
        found => found.ok_or_else(|| missing(name)),
    }
}

/// The data of a Secret of any namespace, which must be there.
#[cfg(feature = "plugins")]
pub(super) async fn read_in(
    setup: &Setup<'_>,
    namespace: &str,
    name: &str,
) -> Result<BTreeMap<String, Vec<u8>>, VolumeError> {
    find(setup, namespace, name).await?.ok_or_else(|| missing(name))
}

async fn find(
    setup: &Setup<'_>,
    namespace: &str,
    name: &str,
) -> Result<Option<BTreeMap<String, Vec<u8>>>, VolumeError> {
    let object = setup.host.references.get(setup.pod.uid(), SECRETS, namespace, name).await?;
    let Some(object) = object else { return Ok(None) };
    let data = object.view::<Secret>()?.data.unwrap_or_default();
    Ok(Some(data.into_iter().map(|(k, v)| (k, v.0)).collect()))
}

fn missing(name: &str) -> VolumeError {
    VolumeError::Unmet(format!("secret \"{name}\" not found"))
}
