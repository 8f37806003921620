//! The plugins, a file each. Which there are stands in [`Registry`].

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
pub(crate) use default_binder::look;
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

use crate::config::Registry;
use crate::framework::Profile;
use std::sync::Arc;
use windlass_core::client::Client;

/// The profile `default-scheduler`, with Kubernetes' weights.
#[must_use]
pub fn default_profile(client: Arc<dyn Client>) -> Profile {
    Registry::default().default_profile(Some(client))
}

/// The same without what writes to a cluster.
#[must_use]
pub fn simulated_profile() -> Profile {
    Registry::default().default_profile(None)
}

#[cfg(test)]
mod tests;
