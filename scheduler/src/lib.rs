#![doc = include_str!("../README.md")]

pub mod config;
mod extender;
pub mod framework;
pub mod gang;
mod node;
pub mod plugins;
mod pod;
pub mod preemption;
mod queue;
mod scheduler;
mod snapshot;
#[cfg(test)]
mod testing;
pub mod whatif;

pub use extender::Extenders;
pub use node::{NodeImage, NodeInfo};
pub use pod::{Disk, HostPort, PodClaim, PodClass, PodInfo, PodTerm, PodTerms, SpreadConstraint};
pub use queue::{ClusterEvent, Queue, QueuedPod};
pub use scheduler::{Scheduler, SchedulerBuilder};
pub use snapshot::{
    CPU, DomainId, EPHEMERAL_STORAGE, MEMORY, NodeId, NodeSet, PODS, ResourceId, Resources,
    Snapshot, Topology, Version,
};
pub use whatif::Simulation;
