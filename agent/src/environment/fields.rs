//! What a container may ask about its pod (Downward API).

use super::ConfigError;
use crate::config::Machine;
use crate::pod::PodExt;
use crate::resources::amount;
use std::collections::BTreeMap;
use std::net::IpAddr;
use windlass_core::apis::core::v1::{Container, Pod, ResourceFieldSelector};
use windlass_core::meta::Quantity;

/// What is not in the pod's spec.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) hostname: &'a str,
    pub(crate) host_ip: IpAddr,
    pub(crate) pod_ips: &'a [IpAddr],
    pub(crate) machine: &'a Machine,
}

/// The value of a field.
pub(crate) fn field(pod: &Pod, path: &str, facts: &Facts<'_>) -> Result<String, ConfigError> {
    let meta = &pod.metadata;
    let list = |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    if let Some((map, key)) = subscript(path) {
        let map = match map {
            "metadata.labels" => &meta.labels,
            "metadata.annotations" => &meta.annotations,
            _ => return Err(unsupported(path)),
        };
        return Ok(map.as_ref().and_then(|m| m.get(key)).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => pod.name().to_owned(),
        "metadata.namespace" => pod.namespace().to_owned(),
        "metadata.uid" => pod.uid().to_owned(),
        "metadata.labels" => formatted(meta.labels.as_ref()),
        "metadata.annotations" => formatted(meta.annotations.as_ref()),
        "spec.nodeName" => pod.pod_spec().node_name.clone().unwrap_or_default(),
        "spec.serviceAccountName" => {
            pod.pod_spec().service_account_name.clone().unwrap_or_default()
        }
        "status.hostIP" | "status.hostIPs" => facts.host_ip.to_string(),
        "status.podIP" => facts.pod_ips.first().map(ToString::to_string).unwrap_or_default(),
        "status.podIPs" => list(facts.pod_ips),
        _ => return Err(unsupported(path)),
    })
}

/// `metadata.labels['app']` as map and key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, key) = path.strip_suffix(']')?.split_once('[')?;
    Some((map, key.trim_matches(['\'', '"'])))
}

fn unsupported(path: &str) -> ConfigError {
    ConfigError(format!("unsupported fieldPath: {path}"))
}

/// One line for each, the value quoted.
fn formatted(map: Option<&BTreeMap<String, String>>) -> String {
    let line = |(key, value): (&String, &String)| format!("{key}={}", serde_json::json!(value));
    map.into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}

/// What a container asks for, or may use: the node's where it has no limit.
pub(crate) fn resource_field(
    container: &Container,
    selector: &ResourceFieldSelector,
    facts: &Facts<'_>,
) -> Result<String, ConfigError> {
    let resources = container.resources.as_ref();
    let limits = |name| amount(&resources?.limits, name);
    let requests = |name| amount(&resources?.requests, name).or_else(|| limits(name));
    let node_cpu = Quantity::from_milli(facts.machine.milli_cpu);
    let node_memory = Quantity::from_units(facts.machine.memory);
    let node_storage = Quantity::from_units(facts.machine.ephemeral_storage);
    let value = match selector.resource.as_str() {
        "limits.cpu" => limits("cpu").unwrap_or(node_cpu),
        "limits.memory" => limits("memory").unwrap_or(node_memory),
        "limits.ephemeral-storage" => limits("ephemeral-storage").unwrap_or(node_storage),
        "requests.cpu" => requests("cpu").unwrap_or_default(),
        "requests.memory" => requests("memory").unwrap_or_default(),
        "requests.ephemeral-storage" => requests("ephemeral-storage").unwrap_or_default(),
        other => return Err(ConfigError(format!("unsupported container resource : {other}"))),
    };
    let divisor = selector.divisor.as_ref().and_then(|d| d.0.parse::<Quantity>().ok());
    let divisor = divisor.filter(|d| *d > Quantity::default()).unwrap_or(Quantity::from_units(1));
    // Rounded up, as Kubernetes does.
    let (value, divisor) = (i128::from(value.milli()), i128::from(divisor.milli()));
    Ok(((value + divisor - 1) / divisor).to_string())
}
