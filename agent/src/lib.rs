//! The node agent (kubelet) as a library.
//!
//! [`Agent`] is a component that runs the pods bound to its node: bring a client, informers and a
//! [`runtime::Runtime`]. Every pod has a worker that computes a plan from what is known (a pure function)
//! and carries it out; it wakes when the pod, its containers, its probes or what it names change.

mod agent;
mod changes;
mod config;
mod dns;
mod environment;
pub mod eviction;
mod handlers;
mod image_gc;
pub mod images;
pub mod network;
mod node_shutdown;
mod node_status;
#[cfg(feature = "plugins")]
pub mod plugins;
mod pod;
mod pod_workers;
mod prober;
mod references;
mod resources;
pub mod runtime;
mod security;
mod server;
mod static_pods;
mod stats;
mod status;
mod volumes;

pub use agent::{Agent, AgentBuilder, BuildError, PodCidrHook};
pub use config::{Config, Machine};
pub use image_gc::{ImageGcError, ImageGcPolicy};
pub use node_shutdown::{NodeShutdown, PriorityGrace};
pub use server::ServerTls;
