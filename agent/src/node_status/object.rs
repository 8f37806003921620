//! The Node object, as a pure function of what is known about the node.

use crate::config::Config;
use crate::eviction::Pressure;
use jiff::Timestamp;
use std::collections::BTreeMap;
use windlass_core::apis::Quantity;
use windlass_core::apis::core::v1::{
    ContainerImage, DaemonEndpoint, Node, NodeAddress, NodeCondition, NodeDaemonEndpoints,
    NodeStatus, NodeSystemInfo,
};
use windlass_core::apis::meta::v1::{ObjectMeta, Time};

/// The version of Kubernetes whose agent this one stands for.
pub(crate) const KUBELET_VERSION: &str = "v1.36.0";

/// A node's labels.
pub(super) fn labels(config: &Config) -> BTreeMap<String, String> {
    let arch = config.machine.architecture.as_str();
    let own = [
        ("beta.kubernetes.io/arch", arch),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", arch),
        ("kubernetes.io/hostname", config.node_name.as_str()),
        ("kubernetes.io/os", "linux"),
    ];
    let own = own.map(|(key, value)| (key.to_owned(), value.to_owned()));
    own.into_iter().chain(config.node_labels.clone()).collect()
}

/// A Node that is not there yet.
pub(super) fn node(config: &Config, status: NodeStatus) -> Node {
    let metadata = ObjectMeta {
        name: Some(config.node_name.clone()),
        labels: Some(labels(config)),
        ..ObjectMeta::default()
    };
    Node { metadata, spec: None, status: Some(status) }
}

/// What a node's status rests on.
pub(super) struct Facts<'a> {
    pub(super) config: &'a Config,
    pub(super) runtime_version: String,
    pub(super) images: Vec<ContainerImage>,
    pub(super) pressure: Pressure,
    /// Why the node does not work, if it does not.
    pub(super) trouble: Option<String>,
    /// Those that others attach and detach, who must not take these away yet; none when that is not known.
    pub(super) volumes_in_use: Option<Vec<String>>,
    /// By resource.
    pub(super) devices: BTreeMap<String, Count>,
    pub(super) now: Timestamp,
}

/// How many devices there are, and how many of these work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) capacity: usize,
    pub(crate) allocatable: usize,
}

/// A node's status; conditions that have not changed keep the time of their last change in `old`.
pub(super) fn status(facts: Facts<'_>, old: Option<&NodeStatus>) -> NodeStatus {
    let config = facts.config;
    let machine = &config.machine;
    let mut capacity = BTreeMap::from([
        ("cpu".to_owned(), quantity(machine.milli_cpu, "m")),
        ("ephemeral-storage".to_owned(), quantity(machine.ephemeral_storage / 1024, "Ki")),
        ("hugepages-2Mi".to_owned(), Quantity("0".into())),
        ("memory".to_owned(), quantity(machine.memory / 1024, "Ki")),
        ("pods".to_owned(), Quantity(config.max_pods.to_string())),
    ]);
    let mut allocatable = capacity.clone();
    for (name, count) in &facts.devices {
        capacity.insert(name.clone(), Quantity(count.capacity.to_string()));
        allocatable.insert(name.clone(), Quantity(count.allocatable.to_string()));
    }
    let address = |kind: &str, address: String| NodeAddress { type_: kind.into(), address };
    let port = i32::from(config.port);
    let had_volumes = old.is_some_and(|old| old.volumes_in_use.is_some());
    let endpoints = NodeDaemonEndpoints { kubelet_endpoint: Some(DaemonEndpoint { port }) };
    NodeStatus {
        addresses: Some(vec![
            address("InternalIP", config.node_ip.to_string()),
            address("Hostname", config.node_name.clone()),
        ]),
        allocatable: Some(allocatable),
        capacity: Some(capacity),
        conditions: Some(conditions(&facts, old)),
        daemon_endpoints: Some(endpoints),
        volumes_in_use: facts.volumes_in_use.filter(|new| !new.is_empty() || had_volumes),
        images: Some(facts.images),
        node_info: Some(NodeSystemInfo {
            architecture: machine.architecture.clone(),
            boot_id: machine.boot_id.clone(),
            container_runtime_version: facts.runtime_version,
            kernel_version: machine.kernel_version.clone(),
            kube_proxy_version: String::new(),
            kubelet_version: KUBELET_VERSION.into(),
            machine_id: machine.machine_id.clone(),
            operating_system: "linux".into(),
            os_image: machine.os_image.clone(),
            system_uuid: machine.system_uuid.clone(),
            swap: None,
        }),
        ..NodeStatus::default()
    }
}

/// `2` for whole cores, as Kubernetes writes them.
fn quantity(amount: i64, unit: &str) -> Quantity {
    match (unit, amount % 1000) {
        ("m", 0) => Quantity((amount / 1000).to_string()),
        _ => Quantity(format!("{amount}{unit}")),
    }
}

fn conditions(facts: &Facts<'_>, old: Option<&NodeStatus>) -> Vec<NodeCondition> {
    let pressure = facts.pressure;
    let table = [
        (
            "MemoryPressure",
            pressure.memory,
            "HasInsufficientMemory",
            "HasSufficientMemory",
            "memory available",
        ),
        ("DiskPressure", pressure.disk, "HasDiskPressure", "HasNoDiskPressure", "disk pressure"),
        ("PIDPressure", pressure.pid, "HasInsufficientPID", "HasSufficientPID", "PID available"),
    ];
    let mut list: Vec<_> = table
        .into_iter()
        .map(|(kind, holds, yes, no, what)| {
            let (reason, word) = match (holds, kind) {
                (true, "DiskPressure") => (yes, "has"),
                (false, "DiskPressure") => (no, "has no"),
                (true, _) => (yes, "has insufficient"),
                (false, _) => (no, "has sufficient"),
            };
            condition(
                facts,
                old,
                kind,
                holds,
                (&format!("Kubelet{reason}"), &format!("kubelet {word} {what}")),
            )
        })
        .collect();
    list.push(match &facts.trouble {
        None => condition(
            facts,
            old,
            "Ready",
            true,
            ("KubeletReady", "kubelet is posting ready status"),
        ),
        Some(error) => condition(facts, old, "Ready", false, ("KubeletNotReady", error)),
    });
    list
}

fn condition(
    facts: &Facts<'_>,
    old: Option<&NodeStatus>,
    kind: &str,
    holds: bool,
    (reason, message): (&str, &str),
) -> NodeCondition {
    let status = if holds { "True" } else { "False" };
    let known = old.and_then(|s| s.conditions.as_ref()).into_iter().flatten();
    let mut same = known.filter(|c| c.type_ == kind && c.status == status);
    let now = Time(facts.now);
    let since = same.next().and_then(|c| c.last_transition_time.clone());
    NodeCondition {
        type_: kind.into(),
        status: status.into(),
        reason: Some(reason.into()),
        message: Some(message.into()),
        last_heartbeat_time: Some(now.clone()),
        last_transition_time: since.or(Some(now)),
    }
}

#[cfg(test)]
mod tests;
