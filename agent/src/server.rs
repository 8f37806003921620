//! The agent's server, as the kubelet's: logs, exec, attach, port-forward, run, stats. Who may ask is decided by
//! the client's certificate; what may be asked of a pod the API server has decided before.

mod answers;
mod configz;
mod exec;
mod listener;
pub(crate) mod logs;
mod metrics;
mod pod_logs;
mod port_forward;
mod query;
mod router;
mod session;
mod spdy;
mod upgrade;
mod websocket;

use crate::pod::PodExt;
use crate::pod_workers::Host;
use crate::pod_workers::snapshot::{PodRuntime, is_running};
use crate::runtime::ContainerId;
use crate::static_pods::StaticPods;
use answers::Refusal;
use std::sync::Arc;
use windlass_core::apis::core::v1::Pod;
use windlass_core::cache::{HeaderOnly, Informer};

/// How the server proves who it is, and whom it lets in.
#[derive(Clone)]
pub struct ServerTls {
    /// The TLS configuration. It must ask for client certificates and verify them.
    pub config: Arc<rustls::ServerConfig>,
    /// The common names of the client certificates that are let in; all others are told 403.
    pub clients: Vec<String>,
    /// The organization that their certificates must name too: a common name alone may be asked for by others.
    pub organization: String,
}

/// Serves one agent's pods.
pub(crate) struct Server {
    host: Arc<Host>,
    pods: Arc<Informer<HeaderOnly>>,
    fixed: Arc<StaticPods>,
    tls: Option<ServerTls>,
}

impl Server {
    pub(crate) fn new(
        host: Arc<Host>,
        pods: Arc<Informer<HeaderOnly>>,
        fixed: Arc<StaticPods>,
        tls: Option<ServerTls>,
    ) -> Self {
        Self { host, pods, fixed, tls }
    }

    /// A pod of this node and what runs of it. The mirror of a static pod has that pod's uid here: what the API says of
    /// itself is not believed, for anybody may annotate a pod of his own.
    fn pod(&self, namespace: &str, name: &str) -> Result<(Pod, Arc<PodRuntime>), Refusal> {
        let entry = self.pods.get(namespace, name);
        let entry = entry.ok_or_else(|| {
            Refusal::not_found(format!("pod \"{name}\" not found in namespace \"{namespace}\""))
        })?;
        let mut pod = entry.object.view::<Pod>().map_err(|e| Refusal::internal(&e))?;
        if let Some(uid) = self.fixed.shown_by(&entry.object) {
            pod.metadata.uid = Some(uid);
        }
        let runtime = self.host.cache.pod(pod.uid());
        Ok((pod, runtime))
    }

    /// A container that runs.
    fn running(&self, namespace: &str, pod: &str, container: &str) -> Result<ContainerId, Refusal> {
        let (_, runtime) = self.pod(namespace, pod)?;
        let found = runtime.latest(container).filter(|c| is_running(c));
        let missing = || Refusal::not_found(format!("container not found (\"{container}\")"));
        found.map(|c| c.id.clone()).ok_or_else(missing)
    }
}
