#![doc = include_str!("../README.md")]

pub mod framework;
mod node;
pub mod plugins;
mod pod;
mod queue;
mod scheduler;
mod snapshot;
#[cfg(test)]
mod testing;

pub use node::NodeInfo;
pub use pod::{HostPort, PodInfo};
pub use queue::{ClusterEvent, Queue, QueuedPod};
pub use scheduler::{Scheduler, SchedulerBuilder};
pub use snapshot::{
    CPU, EPHEMERAL_STORAGE, MEMORY, NodeId, NodeSet, PODS, ResourceId, Resources, Snapshot,
};
