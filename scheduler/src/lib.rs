//! The scheduling framework, its plugins and queue.
//!
//! A cycle looks at all nodes at once: a [`framework::Filter`] narrows a set of nodes, a
//! [`framework::Score`] fills an array with one number a node. What they read lies in the columns of a
//! [`Snapshot`] that events keep up to date. [`Scheduler`] is the component that runs cycles and binds.

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
