//! The plugins, a file each, and the default profile: one line each.

mod balanced_allocation;
mod company;
mod default_binder;
mod dynamic_resources;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_name;
mod node_ports;
mod node_resources_fit;
mod node_unschedulable;
mod node_volume_limits;
mod owners;
mod pod_topology_spread;
mod priority_sort;
mod resources;
mod scheduling_gates;
mod taint_toleration;
mod volume_binding;
mod volume_restrictions;
mod volume_zone;
mod volumes;

pub use balanced_allocation::{BalancedAllocation, NodeResourcesBalancedAllocationArgs};
pub use default_binder::DefaultBinder;
pub use dynamic_resources::{DeviceSelectors, DynamicResources};
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
pub use node_volume_limits::NodeVolumeLimits;
pub use pod_topology_spread::{DefaultingType, PodTopologySpread, PodTopologySpreadArgs};
pub use priority_sort::PrioritySort;
pub use resources::ResourceSpec;
pub use scheduling_gates::SchedulingGates;
pub use taint_toleration::TaintToleration;
pub use volume_binding::{VolumeBinding, VolumeBindingArgs};
pub use volume_restrictions::VolumeRestrictions;
pub use volume_zone::VolumeZone;

use crate::framework::{Profile, ProfileBuilder};
use crate::preemption::DefaultPreemption;
use std::sync::Arc;
use windlass_core::client::Client;

/// The profile `default-scheduler`, with Kubernetes' weights.
#[must_use]
pub fn default_profile(client: Arc<dyn Client>) -> Profile {
    let binder = DefaultBinder::new(client.clone());
    defaults("default-scheduler", Some(client)).plugin(binder, 0).build()
}

/// The same without what writes to a cluster.
#[must_use]
pub fn simulated_profile() -> Profile {
    defaults("default-scheduler", None).build()
}

fn defaults(name: &str, client: Option<Arc<dyn Client>>) -> ProfileBuilder {
    let volumes = VolumeBinding::new(client.clone(), &VolumeBindingArgs::default());
    Profile::builder(name)
        .plugin(SchedulingGates, 0)
        .plugin(PrioritySort, 0)
        .plugin(NodeUnschedulable, 0)
        .plugin(NodeName, 0)
        .plugin(TaintToleration, 3)
        .plugin(NodeAffinity::default(), 2)
        .plugin(NodePorts, 0)
        .plugin(NodeResourcesFit::default(), 1)
        .plugin(VolumeRestrictions, 0)
        .plugin(NodeVolumeLimits, 0)
        .plugin(volumes, 0)
        .plugin(VolumeZone, 0)
        .plugin(PodTopologySpread::default(), 2)
        .plugin(InterPodAffinity::default(), 2)
        .plugin(DynamicResources::new(client, None), 0)
        .plugin(DefaultPreemption::default(), 0)
        .plugin(BalancedAllocation::default(), 1)
        .plugin(ImageLocality, 1)
}

#[cfg(test)]
mod tests;
