//! The ConfigMaps and Secrets that a container's environment names.

use super::ConfigError;
use crate::pod::PodExt;
use crate::references::References;
use std::collections::{BTreeMap, BTreeSet};
use windlass_core::apis::core::v1::{ConfigMap, Container, Pod, Secret};
use windlass_core::scheme::{CONFIGMAPS, SECRETS};

type Data = BTreeMap<String, String>;

/// Their content, by name; `None` for what does not exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) namespace: String,
    pub(crate) config_maps: BTreeMap<String, Option<Data>>,
    pub(crate) secrets: BTreeMap<String, Option<Data>>,
}

impl Sources {
    /// Reads what a container names; the pod is told of changes from then on.
    pub(crate) async fn gather(
        references: &References,
        pod: &Pod,
        container: &Container,
    ) -> Result<Self, ConfigError> {
        let mut sources = Self { namespace: pod.namespace().into(), ..Self::default() };
        let failed = |e: &dyn std::fmt::Display| ConfigError(e.to_string());
        let (maps, secrets) = names(container);
        for name in maps {
            let found = references.get(pod.uid(), CONFIGMAPS, pod.namespace(), &name).await;
            let data = match found.map_err(|e| failed(&e))? {
                Some(object) => Some(object.view::<ConfigMap>().map_err(|e| failed(&e))?),
                None => None,
            };
            sources.config_maps.insert(name, data.map(|map| map.data.unwrap_or_default()));
        }
        for name in secrets {
            let found = references.get(pod.uid(), SECRETS, pod.namespace(), &name).await;
            let data = match found.map_err(|e| failed(&e))? {
                Some(object) => Some(object.view::<Secret>().map_err(|e| failed(&e))?),
                None => None,
            };
            sources.secrets.insert(name, data.map(text));
        }
        Ok(sources)
    }

    pub(crate) fn config_map(
        &self,
        name: &str,
        optional: bool,
    ) -> Result<Option<Data>, ConfigError> {
        let missing = || ConfigError(format!("configmap \"{name}\" not found"));
        find(&self.config_maps, name, optional, missing)
    }

    pub(crate) fn secret(&self, name: &str, optional: bool) -> Result<Option<Data>, ConfigError> {
        let missing = || ConfigError(format!("secret \"{name}\" not found"));
        find(&self.secrets, name, optional, missing)
    }

    pub(crate) fn config_map_key(
        &self,
        name: &str,
        key: &str,
        optional: bool,
    ) -> Result<Option<String>, ConfigError> {
        let data = self.config_map(name, optional)?;
        self.key(data, "ConfigMap", name, key, optional)
    }

    pub(crate) fn secret_key(
        &self,
        name: &str,
        key: &str,
        optional: bool,
    ) -> Result<Option<String>, ConfigError> {
        let data = self.secret(name, optional)?;
        self.key(data, "Secret", name, key, optional)
    }

    fn key(
        &self,
        data: Option<Data>,
        kind: &str,
        name: &str,
        key: &str,
        optional: bool,
    ) -> Result<Option<String>, ConfigError> {
        match data.and_then(|mut data| data.remove(key)) {
            None if !optional => Err(ConfigError(format!(
                "couldn't find key {key} in {kind} {}/{name}",
                self.namespace
            ))),
            value => Ok(value),
        }
    }
}

fn find(
    all: &BTreeMap<String, Option<Data>>,
    name: &str,
    optional: bool,
    missing: impl FnOnce() -> ConfigError,
) -> Result<Option<Data>, ConfigError> {
    match all.get(name).cloned().flatten() {
        None if !optional => Err(missing()),
        data => Ok(data),
    }
}

fn names(container: &Container) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut maps, mut secrets) = (BTreeSet::new(), BTreeSet::new());
    for from in container.env_from.iter().flatten() {
        maps.extend(from.config_map_ref.as_ref().map(|r| r.name.clone()));
        secrets.extend(from.secret_ref.as_ref().map(|r| r.name.clone()));
    }
    for from in container.env.iter().flatten().filter_map(|v| v.value_from.as_ref()) {
        maps.extend(from.config_map_key_ref.as_ref().map(|r| r.name.clone()));
        secrets.extend(from.secret_key_ref.as_ref().map(|r| r.name.clone()));
    }
    (maps, secrets)
}

fn text(secret: Secret) -> Data {
    let data = secret.data.unwrap_or_default();
    data.into_iter().map(|(k, v)| (k, String::from_utf8_lossy(&v.0).into_owned())).collect()
}
