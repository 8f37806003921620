//! The fields of policies and pods that matter to packets.

use std::net::IpAddr;

use serde::Deserialize;
use windlass_core::apis::networking::v1::NetworkPolicySpec;

use crate::model::Protocol;

/// View of a `networking.k8s.io/v1` NetworkPolicy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NetworkPolicyView {
    /// The desired state.
    pub spec: NetworkPolicySpec,
}

/// View of a v1 Pod; its name and labels are in the object's header.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodView {
    spec: PodSpecView,
    status: PodStatusView,
}

/// One entry of a container's `ports`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPortView {
    /// The name by which policies know it; may be empty.
    pub name: String,
    /// The port's number.
    pub container_port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpecView {
    node_name: String,
    host_network: bool,
    containers: Vec<ContainerView>,
    init_containers: Vec<ContainerView>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerView {
    ports: Vec<ContainerPortView>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatusView {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIpView>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PodIpView {
    ip: String,
}

// === impl PodView ===

impl PodView {
    /// The name of the node it runs on; empty while there is none.
    pub fn node_name(&self) -> &str {
        &self.spec.node_name
    }

    /// The addresses that are the pod's alone. A pod in its node's network has none, nor has one
    /// that is over: its addresses may be another's by now.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let over = matches!(&*self.status.phase, "Succeeded" | "Failed");
        let all = self.status.pod_ips.iter().map(|ip| &ip.ip);
        let first = self.status.pod_ip.iter().filter(|_| self.status.pod_ips.is_empty());
        let own = !self.spec.host_network && !over;
        all.chain(first).filter(move |_| own).filter_map(|ip| ip.parse().ok())
    }

    /// Ports of its containers that have a name.
    pub fn named_ports(&self) -> impl Iterator<Item = &ContainerPortView> {
        let containers = self.spec.containers.iter().chain(&self.spec.init_containers);
        containers.flat_map(|container| &container.ports).filter(|port| !port.name.is_empty())
    }
}
