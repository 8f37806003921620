//! How the server reaches the agents of nodes, and pods: logs, exec, attach, port-forward and the proxies.
//!
//! | subresource | goes to |
//! |---|---|
//! | `pods/log` | the agent, `/containerLogs/NAMESPACE/POD/CONTAINER` |
//! | `pods/exec`, `pods/attach` | the agent, `/exec/…`, `/attach/…`: an upgraded connection, passed through |
//! | `pods/portforward` | the agent, `/portForward/NAMESPACE/POD`: likewise |
//! | `pods/proxy` | the pod's address, dialed from where the server runs |
//! | `services/proxy` | a ready endpoint of the service, likewise |
//! | `nodes/proxy` | the agent, or another port of its node |
//!
//! Agents prove who they are by a certificate of the cluster's authority, and so does the server to them. Pods
//! prove nothing: `https:` to a pod hides what is said from others, but not from one who poses as the pod (so it is
//! in Kubernetes). The server has to run where the addresses of pods can be reached.

mod answer;
pub(crate) mod backend;
pub(crate) mod client;
mod container;
mod forward;
pub(crate) mod headers;
mod log;
mod objects;
pub(crate) mod proxy;
pub(crate) mod tls;
pub(crate) mod tunnel;

pub use client::NodeClient;

use crate::server::Connect;
use forward::{Conversation, Forward};
use log::Log;
use proxy::{Proxied, Proxy};
use std::sync::Arc;
use windlass_core::scheme::{GroupVersionResource, NODES, PODS, SERVICES};

/// Everything that goes to nodes and pods, for [`crate::server::Builder::connect`].
#[must_use]
pub fn connects(nodes: NodeClient) -> Vec<(GroupVersionResource, &'static str, Arc<dyn Connect>)> {
    let forward = |to| Arc::new(Forward::new(nodes.clone(), to));
    let proxy = |to| Arc::new(Proxy::new(nodes.clone(), to));
    vec![
        (PODS, "log", Arc::new(Log::new(nodes.clone()))),
        (PODS, "exec", forward(Conversation::Exec)),
        (PODS, "attach", forward(Conversation::Attach)),
        (PODS, "portforward", forward(Conversation::PortForward)),
        (PODS, "proxy", proxy(Proxied::Pods)),
        (SERVICES, "proxy", proxy(Proxied::Services)),
        (NODES, "proxy", proxy(Proxied::Nodes)),
    ]
}

#[cfg(test)]
mod tests;
