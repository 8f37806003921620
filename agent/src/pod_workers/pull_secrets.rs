//! Credentials for registries, from the Secrets a pod names (`imagePullSecrets`).

use super::effects::Effect;
use crate::images::Credentials;
use crate::pod::PodExt;
use base64::Engine;
use serde::Deserialize;
use std::collections::BTreeMap;
use windlass_core::apis::core::v1::Secret;
use windlass_core::scheme::SECRETS;

const KEY: &str = ".dockerconfigjson";
const HUB: &str = "docker.io";

#[derive(Deserialize, Default)]
#[serde(default)]
struct DockerConfig {
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    username: String,
    password: String,
    auth: String,
}

/// The first credentials for the image's registry. A Secret that is missing or malformed is passed over, as
/// Kubernetes does: the pull then fails or not.
pub(super) async fn credentials(effect: &Effect, image: &str) -> Option<Credentials> {
    let pod = &effect.pod;
    for reference in pod.pod_spec().image_pull_secrets.iter().flatten() {
        let references = &effect.host.references;
        let found = references.get(pod.uid(), SECRETS, pod.namespace(), &reference.name).await;
        let secret = match found {
            Ok(Some(object)) => object.view::<Secret>().ok(),
            _ => None,
        };
        let config = secret.and_then(|s| s.data).and_then(|mut data| data.remove(KEY));
        let Some(config) = config else {
            let message = format!(
                "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.",
                reference.name
            );
            effect.host.pod_warning(pod, "FailedToRetrieveImagePullSecret", &message);
            continue;
        };
        if let Some(found) = for_image(&config.0, image) {
            return Some(found);
        }
    }
    None
}

fn for_image(config: &[u8], image: &str) -> Option<Credentials> {
    let config: DockerConfig = serde_json::from_slice(config).ok()?;
    let wanted = registry(image);
    let (_, auth) = config.auths.iter().find(|(host, _)| registry_of_key(host) == wanted)?;
    if !auth.username.is_empty() {
        return Some(Credentials {
            username: auth.username.clone(),
            password: auth.password.clone(),
        });
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(&auth.auth).ok()?;
    let (username, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Credentials { username: username.into(), password: password.into() })
}

fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

fn registry_of_key(key: &str) -> &str {
    let host = key.trim_start_matches("https://").trim_start_matches("http://");
    let host = host.split('/').next().unwrap_or_default();
    if host == "index.docker.io" { HUB } else { host }
}
