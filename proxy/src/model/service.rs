//! The fields of a v1 Service that the proxy reads.

use serde::Deserialize;

use super::{Protocol, TrafficPolicy};

/// View of a v1 Service; its name and labels are in the object's header.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceView {
    /// The desired state.
    pub spec: ServiceSpecView,
    /// The load balancer's addresses.
    pub status: ServiceStatusView,
}

/// The fields of a Service's `spec` that the proxy reads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpecView {
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`; empty means `ClusterIP`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The first cluster address, `None` for a headless Service.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: String,
    /// All cluster addresses, one per family.
    #[serde(rename = "clusterIPs")]
    pub cluster_ips: Vec<String>,
    /// Further addresses whose traffic arrives at this node.
    #[serde(rename = "externalIPs")]
    pub external_ips: Vec<String>,
    /// The name that a Service of type `ExternalName` stands for.
    pub external_name: String,
    /// Networks that may use the load balancer's addresses; none means all.
    pub load_balancer_source_ranges: Vec<String>,
    /// Where nodes tell a load balancer of their endpoints, 0 for nowhere.
    pub health_check_node_port: u16,
    /// The ports.
    pub ports: Vec<ServicePortView>,
    /// `None` or `ClientIP`.
    pub session_affinity: String,
    /// The affinity's timeout.
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// Policy for the cluster address.
    pub internal_traffic_policy: TrafficPolicy,
    /// Policy for node ports and external addresses.
    pub external_traffic_policy: TrafficPolicy,
}

/// One entry of `spec.ports`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePortView {
    /// The name; may be empty for a single port.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The node port, 0 when there is none.
    pub node_port: u16,
}

/// `spec.sessionAffinityConfig`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionAffinityConfig {
    /// Settings of `ClientIP`.
    #[serde(rename = "clientIP")]
    pub client_ip: Option<ClientIpConfig>,
}

/// `spec.sessionAffinityConfig.clientIP`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientIpConfig {
    /// Seconds a client stays with its endpoint.
    pub timeout_seconds: Option<u32>,
}

/// The fields of a Service's `status` that the proxy reads.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatusView {
    /// What the load balancer reported.
    pub load_balancer: LoadBalancerStatus,
}

/// `status.loadBalancer`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoadBalancerStatus {
    /// Its addresses.
    pub ingress: Vec<LoadBalancerIngress>,
}

/// One entry of `status.loadBalancer.ingress`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerIngress {
    /// The address.
    pub ip: String,
    /// `VIP` (the default): traffic arrives with this address as destination. `Proxy`: it does not.
    pub ip_mode: Option<String>,
}

// === impl ServiceSpecView ===

/// Kubernetes' default for `timeoutSeconds`: three hours.
const DEFAULT_AFFINITY_SECONDS: u32 = 10_800;

impl ServiceSpecView {
    /// Seconds of client affinity, `None` without.
    pub(crate) fn affinity_seconds(&self) -> Option<u32> {
        let configured = self
            .session_affinity_config
            .as_ref()
            .and_then(|c| c.client_ip.as_ref()?.timeout_seconds);
        (self.session_affinity == "ClientIP")
            .then(|| configured.unwrap_or(DEFAULT_AFFINITY_SECONDS).max(1))
    }

    /// The health-check node port, where the type and the policy have one.
    pub(crate) fn health_check(&self) -> Option<u16> {
        let wanted =
            self.type_ == "LoadBalancer" && self.external_traffic_policy == TrafficPolicy::Local;
        (wanted && self.health_check_node_port != 0).then_some(self.health_check_node_port)
    }

    /// Whether the type has node ports.
    pub(crate) fn has_node_ports(&self) -> bool {
        matches!(self.type_.as_str(), "NodePort" | "LoadBalancer")
    }
}
