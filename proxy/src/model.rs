//! What the proxy programs: one [`ServicePort`] per port of a Service and IP family.
//!
//! [`ServiceView`] and [`EndpointSliceView`] hold just the fields the proxy reads;
//! [`service_ports`] turns them into the desired state.

mod compute;
mod network;
mod node;
mod service;
mod slice;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use compute::service_ports;
pub use network::{AddressRange, Network, ParseNetworkError};
pub use node::NodePortAddresses;
pub(crate) use node::NodeView;
pub use service::{
    ClientIpConfig, LoadBalancerIngress, LoadBalancerStatus, ServicePortView, ServiceSpecView,
    ServiceStatusView, ServiceView, SessionAffinityConfig,
};
pub use slice::{
    EndpointConditions, EndpointHints, EndpointPortView, EndpointSliceView, EndpointView,
    SERVICE_NAME_LABEL, ZoneHint,
};

/// Namespace and name of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespacedName {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

/// Identifies one port of one Service, as Kubernetes' proxy names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServicePortName {
    /// The Service.
    pub service: NamespacedName,
    /// The port's name; empty for a Service with one unnamed port.
    pub port: Arc<str>,
    /// The port's protocol.
    pub protocol: Protocol,
}

/// An IP family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A transport protocol that a Service port may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
pub enum Protocol {
    /// TCP, the default.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
}

/// `internalTrafficPolicy` and `externalTrafficPolicy` of a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Deserialize)]
pub enum TrafficPolicy {
    /// Any endpoint of the cluster may serve.
    #[default]
    Cluster,
    /// Only endpoints on this node may serve.
    Local,
}

/// The key of a [`ServicePort`]: a dual-stack Service has one for each family.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortKey {
    /// The port of the Service.
    pub name: Arc<ServicePortName>,
    /// The family of its cluster address.
    pub family: Family,
}

/// The desired state of one Service port in one IP family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Which port of which Service, and the family.
    pub key: PortKey,
    /// The cluster address.
    pub cluster_ip: IpAddr,
    /// The Service's port.
    pub port: u16,
    /// The node port, for types `NodePort` and `LoadBalancer`.
    pub node_port: Option<u16>,
    /// `externalIPs` of this family, without duplicates.
    pub external_ips: Vec<IpAddr>,
    /// The load balancer's addresses of this family, without duplicates.
    pub load_balancer_ips: Vec<IpAddr>,
    /// Who may use the load balancer's addresses, sorted and without overlaps; empty for everybody.
    pub source_ranges: Vec<AddressRange>,
    /// Where the node tells an external load balancer of its endpoints.
    pub health_check_node_port: Option<u16>,
    /// Seconds for which a client address stays with its endpoint; `None` without affinity.
    pub affinity: Option<u32>,
    /// Policy for traffic to the cluster address.
    pub internal_policy: TrafficPolicy,
    /// Policy for traffic to node ports and external addresses.
    pub external_policy: TrafficPolicy,
    /// Endpoints that serve under policy `Cluster`, sorted, without duplicates.
    pub cluster_endpoints: Vec<Endpoint>,
    /// Endpoints that serve under policy `Local`, sorted, without duplicates.
    pub local_endpoints: Vec<Endpoint>,
    /// Whether those of `local_endpoints` all terminate: a load balancer is to send nothing new here (KEP-1669).
    pub local_terminating: bool,
}

/// One address that serves a Service port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Address and port of the endpoint.
    pub address: SocketAddr,
    /// Whether it runs on this node.
    pub local: bool,
}

// === impl NamespacedName ===

impl NamespacedName {
    /// A name from its parts.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for NamespacedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

// === impl ServicePortName ===

impl fmt::Display for ServicePortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.port {
            "" => write!(f, "{}", self.service),
            port => write!(f, "{}:{port}", self.service),
        }
    }
}

// === impl Family ===

impl Family {
    /// The family of an address.
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

// === impl Protocol ===

impl Protocol {
    /// The protocol's number in the IP header.
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

// === impl ServicePort ===

impl ServicePort {
    /// The transport protocol.
    pub fn protocol(&self) -> Protocol {
        self.key.name.protocol
    }

    /// Addresses besides the cluster's under which the port is reached.
    pub fn external_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.external_ips.iter().chain(&self.load_balancer_ips).copied()
    }

    /// The endpoints that serve under a policy.
    pub fn endpoints(&self, policy: TrafficPolicy) -> &[Endpoint] {
        match policy {
            TrafficPolicy::Cluster => &self.cluster_endpoints,
            TrafficPolicy::Local => &self.local_endpoints,
        }
    }
}
