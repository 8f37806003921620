//! The secrets that pods use, and those that their account names.

use super::Account;
use crate::strategy::Map;
use crate::strategy::json::{map_at, map_of, maps_of, str_at, str_of};
use serde_json::Value;

/// Whether a pod uses any.
pub(super) fn any(spec: &Map) -> bool {
    let lists = ["initContainers", "containers", "ephemeralContainers"];
    let containers = lists.into_iter().flat_map(|list| maps_of(spec, list));
    let mut containers = containers.map(|(_, container)| container);
    let mut volumes = maps_of(spec, "volumes").map(|(_, volume)| volume);
    containers.any(|container| of_environment(container).next().is_some())
        || volumes.any(|volume| {
            map_of(volume, "secret").is_some()
                || map_of(volume, "projected").is_some_and(|projected| {
                    maps_of(projected, "sources").any(|(_, one)| map_of(one, "secret").is_some())
                })
        })
        || maps_of(spec, "imagePullSecrets").next().is_some()
}

/// The first that the account does not name, in words.
pub(super) fn unnamed(pod: &Map, account: &Account, ephemeral: bool) -> Option<String> {
    let spec = map_of(pod, "spec")?;
    let name = &account.metadata.name;
    let has = |list: &Option<Vec<Value>>, secret: &str| {
        list.iter().flatten().any(|one| one["name"] == secret)
    };
    let known = |secret: &str| has(&account.secrets, secret);
    let environment = |list: &str, word: &str| {
        maps_of(spec, list).find_map(|(_, container)| {
            let (from, secret) = of_environment(container).find(|(_, secret)| !known(secret))?;
            Some(format!(
                "{word} {} with {from} referencing secret.secretName=\"{secret}\" is not allowed because service account {name} does not reference that secret",
                str_of(container, "name")
            ))
        })
    };
    if ephemeral {
        return environment("ephemeralContainers", "ephemeral container");
    }
    let mounted = maps_of(spec, "volumes")
        .map(|(_, volume)| str_at(volume, &["secret", "secretName"]))
        .find(|secret| !secret.is_empty() && !known(secret))
        .map(|secret| {
            format!(
                "volume with secret.secretName=\"{secret}\" is not allowed because service account {name} does not reference that secret"
            )
        });
    let pulled = || {
        let mut all = maps_of(spec, "imagePullSecrets").map(|(at, one)| (at, str_of(one, "name")));
        let (at, secret) = all.find(|(_, one)| !has(&account.image_pull_secrets, one))?;
        Some(format!(
            "imagePullSecrets[{at}].name=\"{secret}\" is not allowed because service account {name} does not reference that imagePullSecret"
        ))
    };
    mounted
        .or_else(|| environment("initContainers", "init container"))
        .or_else(|| environment("containers", "container"))
        .or_else(pulled)
}

/// Secrets in the environment of a container, and where.
fn of_environment(container: &Map) -> impl Iterator<Item = (String, &str)> {
    let single = maps_of(container, "env").filter_map(|(_, variable)| {
        let secret = map_at(variable, &["valueFrom", "secretKeyRef"])?;
        Some((format!("envVar {}", str_of(variable, "name")), str_of(secret, "name")))
    });
    let whole = maps_of(container, "envFrom").filter_map(|(_, from)| {
        let secret = map_of(from, "secretRef")?;
        Some(("envFrom".to_owned(), str_of(secret, "name")))
    });
    single.chain(whole)
}
