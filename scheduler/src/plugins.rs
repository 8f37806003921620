//! The plugins, a file each, and the default profile: one line each.

mod balanced_allocation;
mod company;
mod default_binder;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources_fit;
mod node_unschedulable;
mod owners;
mod pod_topology_spread;
mod priority_sort;
mod resources;
mod scheduling_gates;
mod taint_toleration;

pub use balanced_allocation::{BalancedAllocation, NodeResourcesBalancedAllocationArgs};
pub use default_binder::DefaultBinder;
pub use image_locality::ImageLocality;
pub use inter_pod_affinity::{InterPodAffinity, InterPodAffinityArgs};
pub use node_affinity::{NodeAffinity, NodeAffinityArgs};
pub use node_name::NodeName;
pub use node_ports::NodePorts;
pub use node_resources_fit::{
    NodeResourcesFit, NodeResourcesFitArgs, RequestedToCapacityRatio, ScoringStrategy,
    ScoringStrategyType, UtilizationShapePoint,
};
pub use node_unschedulable::NodeUnschedulable;
pub use pod_topology_spread::{DefaultingType, PodTopologySpread, PodTopologySpreadArgs};
pub use priority_sort::PrioritySort;
pub use resources::ResourceSpec;
pub use scheduling_gates::SchedulingGates;
pub use taint_toleration::TaintToleration;

use crate::framework::{Profile, ProfileBuilder};
use crate::preemption::DefaultPreemption;
use std::sync::Arc;
use windlass_core::client::Client;

/// The profile `default-scheduler`, with Kubernetes' weights.
#[must_use]
pub fn default_profile(client: Arc<dyn Client>) -> Profile {
    defaults("default-scheduler").plugin(DefaultBinder::new(client), 0).build()
}

/// The same without what writes to a cluster.
#[must_use]
pub fn simulated_profile() -> Profile {
    defaults("default-scheduler").build()
}

fn defaults(name: &str) -> ProfileBuilder {
    Profile::builder(name)
        .plugin(SchedulingGates, 0)
        .plugin(PrioritySort, 0)
        .plugin(NodeUnschedulable, 0)
        .plugin(NodeName, 0)
        .plugin(TaintToleration, 3)
        .plugin(NodeAffinity::default(), 2)
        .plugin(NodePorts, 0)
        .plugin(NodeResourcesFit::default(), 1)
        .plugin(PodTopologySpread::default(), 2)
        .plugin(InterPodAffinity::default(), 2)
        .plugin(DefaultPreemption::default(), 0)
        .plugin(BalancedAllocation::default(), 1)
        .plugin(ImageLocality, 1)
}

#[cfg(test)]
mod tests;
