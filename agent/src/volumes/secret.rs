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
    let (uid, namespace) = (setup.pod.uid(), setup.pod.namespace());
    let object = setup.host.references.get(uid, SECRETS, namespace, name).await?;
    let Some(object) = object else {
        let missing = || VolumeError::Unmet(format!("secret \"{name}\" not found"));
        return if optional { Ok(BTreeMap::new()) } else { Err(missing()) };
    };
    let data = object.view::<Secret>()?.data.unwrap_or_default();
    Ok(data.into_iter().map(|(k, v)| (k, v.0)).collect())
}
