//! The agent's server: logs, exec, attach, port-forward.

pub(crate) mod logs;

use crate::pod_workers::Host;
use std::sync::Arc;
use tokio::net::TcpListener;
use windlass_core::cache::{HeaderOnly, Informer};
use windlass_core::component::Shutdown;

/// How the server proves who it is, and whom it lets in.
#[derive(Clone)]
pub struct ServerTls {
    /// The TLS configuration; it should ask for client certificates.
    pub config: Arc<rustls::ServerConfig>,
}

pub(crate) struct Server {
    host: Arc<Host>,
    pods: Arc<Informer<HeaderOnly>>,
    tls: Option<ServerTls>,
}

impl Server {
    pub(crate) fn new(
        host: Arc<Host>,
        pods: Arc<Informer<HeaderOnly>>,
        tls: Option<ServerTls>,
    ) -> Self {
        Self { host, pods, tls }
    }

    pub(crate) async fn run(self, _listener: TcpListener, shutdown: Shutdown) {
        shutdown.cancelled().await;
    }
}
