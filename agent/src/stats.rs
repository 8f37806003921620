//! What the node, its pods and their containers use: read once, shown in two ways.

mod cadvisor;
mod network;
mod node;
mod resource_metrics;
mod summary;
mod text;

pub(crate) use cadvisor::cadvisor;
pub(crate) use resource_metrics::resource_metrics;
pub(crate) use summary::summary;

use crate::pod_workers::Host;
use crate::pod_workers::snapshot::IMAGE_ANNOTATION;
use crate::runtime::{self, ContainerId, ContainerState, Resources, SandboxConfig, Usage};
use jiff::Timestamp;
use network::Interface;
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
    /// Only after [`Stats::with_network`].
    pub(crate) interfaces: Vec<Interface>,
}

/// What a container uses.
pub(crate) struct ContainerStats {
    pub(crate) id: ContainerId,
    pub(crate) name: String,
    /// As its pod names it.
    pub(crate) image: String,
    pub(crate) resources: Resources,
    pid: u32,
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
                ContainerState::Running { started_at, pid } => {
                    Some((container.id.clone(), (container, started_at, pid)))
                }
                _ => None,
            })
            .collect();
        let usage = host.runtime.usage().await?;
        let pods = usage.into_iter().filter_map(|used| {
            let sandbox = sandboxes.remove(&used.id)?;
            let containers = used.containers.into_iter().filter_map(|(id, usage)| {
                let (container, started_at, pid) = running.get(&id)?;
                let image = container.annotations.get(IMAGE_ANNOTATION).cloned();
                Some(ContainerStats {
                    id,
                    name: container.name.clone(),
                    image: image.unwrap_or_default(),
                    resources: container.resources.clone(),
                    pid: *pid,
                    started_at: *started_at,
                    usage,
                })
            });
            Some(PodStats {
                containers: containers.collect(),
                started_at: sandbox.created_at,
                pod: sandbox.config,
                usage: used.pod,
                processes: used.processes,
                interfaces: Vec::new(),
            })
        });
        let node_name = host.config.node_name.clone();
        Ok(Self { node_name, node: node::read(host.now().into()), pods: pods.collect() })
    }

    /// Looks at what goes over pods' interfaces too.
    pub(crate) async fn with_network(mut self) -> Self {
        let look = move || {
            for pod in &mut self.pods {
                // One network for all of them.
                let pid = pod.containers.first().map(|container| container.pid);
                pod.interfaces = pid.map(network::of_process).unwrap_or_default();
            }
            self
        };
        // A look does not break off but with the whole program.
        tokio::task::spawn_blocking(look).await.expect("the look at interfaces ends")
    }
}

/// A time of the system; the beginning of time for what lies outside.
fn timestamp(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or_default()
}
