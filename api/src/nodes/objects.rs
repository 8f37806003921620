//! What is read of pods, nodes and services, and where they are.

use super::backend::{Backend, Reach, Security};
use crate::registry::Loopback;
use crate::server::ConnectCall;
use serde::Deserialize;
use windlass_core::client::{Key, Reader};
use windlass_core::meta::Status;
use windlass_core::scheme::{NODES, PODS};
use windlass_core::{Error, View};

/// Where agents listen when their node does not say.
const AGENT_PORT: u16 = 10250;
/// Which addresses of a node are tried, the best first.
const ADDRESSES: [&str; 3] = ["InternalIP", "ExternalIP", "Hostname"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
    pub(super) status: PodStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    pub(super) node_name: String,
    pub(super) containers: Vec<Container>,
    pub(super) init_containers: Vec<Container>,
    pub(super) ephemeral_containers: Vec<Container>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) ports: Vec<ContainerPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ContainerPort {
    pub(super) container_port: u16,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodStatus {
    #[serde(rename = "podIP")]
    pub(super) pod_ip: String,
    #[serde(rename = "podIPs")]
    pub(super) pod_ips: Vec<PodIp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodIp {
    pub(super) ip: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeStatus {
    addresses: Vec<NodeAddress>,
    daemon_endpoints: DaemonEndpoints,
}

#[derive(Debug, Deserialize)]
struct NodeAddress {
    r#type: String,
    address: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DaemonEndpoints {
    kubelet_endpoint: DaemonEndpoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DaemonEndpoint {
    #[serde(rename = "Port")]
    port: u16,
}

// === impl Pod ===

impl Pod {
    /// The node it is on.
    pub(super) fn node(&self) -> Result<&str, Status> {
        let node = Some(self.spec.node_name.as_str()).filter(|node| !node.is_empty());
        node.ok_or_else(|| {
            let name = &self.metadata.name;
            Status::bad_request(format!("pod {name} does not have a host assigned"))
        })
    }
}

// === impl Node ===

impl Node {
    /// Its agent.
    pub(super) fn agent(&self) -> Result<Backend, Status> {
        let all = &self.status.addresses;
        let of_type = |kind: &&str| {
            all.iter().find(|address| address.r#type == *kind && !address.address.is_empty())
        };
        let Some(found) = ADDRESSES.iter().find_map(of_type) else {
            let known: Vec<_> = all.iter().map(|address| address.r#type.as_str()).collect();
            let known = known.join(" ");
            let text = format!("no preferred addresses found; known addresses: [{known}]");
            return Err(Status::internal(text));
        };
        let port = match self.status.daemon_endpoints.kubelet_endpoint.port {
            0 => AGENT_PORT,
            port => port,
        };
        let host = found.address.clone();
        Ok(Backend { host, port, security: Security::Agent, reach: Reach::Anywhere })
    }
}

/// The pod that a call is about.
pub(super) async fn pod(call: &ConnectCall<'_>) -> Result<Pod, Status> {
    let namespace = call.target.namespace.as_deref().unwrap_or_default();
    let name = call.target.name.as_deref().unwrap_or_default();
    find(call.objects, &Key::new(PODS, namespace, name)).await
}

/// The agent of a node.
pub(super) async fn agent(objects: &Loopback, node: &str) -> Result<Backend, Status> {
    find::<Node>(objects, &Key::cluster(NODES, node)).await?.agent()
}

/// What is needed of an object.
pub(super) async fn find<T: View>(objects: &Loopback, key: &Key) -> Result<T, Status> {
    let object = objects.get(key).await.map_err(status)?;
    object.view().map_err(status)
}

/// Why an object can't be had, for the client.
pub(super) fn status(error: Error) -> Status {
    match error {
        Error::Status(status) => *status,
        other => Status::internal(other),
    }
}
