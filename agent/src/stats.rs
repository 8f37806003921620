//! What the node, its pods and their containers use: read once, shown in two ways.

mod node;
mod resource_metrics;
mod summary;

pub(crate) use resource_metrics::resource_metrics;
pub(crate) use summary::summary;

use crate::pod_workers::Host;
use crate::runtime::{self, ContainerState, SandboxConfig, Usage};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// What is used, at about one time.
pub(crate) struct Stats {
    pub(crate) node_name: String,
    /// None where this kernel does not tell.
    pub(crate) node: Option<Usage>,
    pub(crate) pods: Vec<PodStats>,
}

/// What a pod uses.
pub(crate) struct PodStats {
    pub(crate) pod: SandboxConfig,
    pub(crate) started_at: SystemTime,
    pub(crate) usage: Usage,
    pub(crate) processes: u64,
    pub(crate) containers: Vec<ContainerStats>,
}

/// What a container uses.
pub(crate) struct ContainerStats {
    pub(crate) name: String,
    pub(crate) started_at: SystemTime,
    pub(crate) usage: Usage,
}

// === impl Stats ===

impl Stats {
    /// Looks.
    ///
    /// # Errors
    /// When the runtime can't be asked.
    pub(crate) async fn read(host: &Host) -> runtime::Result<Self> {
        let sandboxes = host.runtime.list_sandboxes().await?;
        let mut sandboxes: BTreeMap<_, _> =
            sandboxes.into_iter().map(|sandbox| (sandbox.id.clone(), sandbox)).collect();
        let running = host.runtime.list_containers().await?.into_iter();
        let running: BTreeMap<_, _> = running
            .filter_map(|container| match container.state {
                ContainerState::Running { started_at, .. } => {
                    Some((container.id, (container.name, started_at)))
                }
                _ => None,
            })
            .collect();
        let usage = host.runtime.usage().await?;
        let pods = usage.into_iter().filter_map(|used| {
            let sandbox = sandboxes.remove(&used.id)?;
            let containers = used.containers.into_iter().filter_map(|(id, usage)| {
                let (name, started_at) = running.get(&id)?.clone();
                Some(ContainerStats { name, started_at, usage })
            });
            Some(PodStats {
                containers: containers.collect(),
                started_at: sandbox.created_at,
                pod: sandbox.config,
                usage: used.pod,
                processes: used.processes,
            })
        });
        let node_name = host.config.node_name.clone();
        Ok(Self { node_name, node: node::read(host.now().into()), pods: pods.collect() })
    }
}

/// A time of the system; the beginning of time for what lies outside.
fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or_default()
}
