//! Services.

use super::{Amount, Uses};
use serde::Deserialize;

/// What a Service uses.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Service")]
pub struct ServiceUsage(
    /// The names it uses something of.
    pub Uses,
);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Service {
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    #[serde(rename = "type")]
    kind: String,
    ports: Vec<Port>,
    allocate_load_balancer_node_ports: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Port {
    node_port: i32,
}

impl From<Service> for ServiceUsage {
    fn from(Service { spec }: Service) -> Self {
        let balanced = spec.kind == "LoadBalancer";
        // A balancer that needs no node ports uses those it asks for all the same.
        let asked = spec.ports.iter().filter(|port| port.node_port != 0).count();
        let node_ports = match spec.kind.as_str() {
            "NodePort" => spec.ports.len(),
            "LoadBalancer" if spec.allocate_load_balancer_node_ports == Some(false) => asked,
            "LoadBalancer" => spec.ports.len(),
            _ => 0,
        };
        let one = Amount::count(1);
        Self(vec![
            ("count/services".into(), one),
            ("services".into(), one),
            ("services.nodeports".into(), Amount::count(node_ports)),
            ("services.loadbalancers".into(), Amount::count(usize::from(balanced))),
        ])
    }
}
