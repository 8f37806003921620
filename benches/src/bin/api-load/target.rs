//! The API server that gets the load.

use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use windlass::standalone::{Cluster, Options};
use windlass_benches::wire::Server;
use windlass_benches::{Process, Result};
use windlass_core::client::Client;
use windlass_core::client::remote::RemoteClient;

/// Which server.
#[derive(Args)]
#[group(required = true)]
pub(crate) struct Which {
    /// A server that runs
    #[arg(long, group = "which", requires = "server")]
    kubeconfig: Option<PathBuf>,
    /// One in this process, in memory, without HTTP
    #[arg(long, group = "which")]
    memory: bool,
    /// One in this process, durable in a directory, without HTTP
    #[arg(long, group = "which")]
    durable: Option<PathBuf>,
    /// The process of the server that runs: its CPU time and memory are told
    #[arg(long)]
    server: Option<u32>,
    /// Connections that the clients share
    #[arg(long, default_value_t = 8)]
    connections: usize,
}

/// A server that was started, or can be reached.
pub(crate) struct Target {
    /// The process that does the server's work: this one, when it is here.
    pub(crate) process: Process,
    /// For what is not measured.
    pub(crate) client: Arc<dyn Client>,
    pub(crate) place: Place,
}

pub(crate) enum Place {
    Here(Box<Cluster>),
    There(Arc<Server>),
}

/// A control plane on which only the load writes.
pub(crate) fn quiet() -> Options {
    Options { controllers: false, scheduler: false, ..Options::in_memory() }
}

// === impl Which ===

impl Which {
    pub(crate) async fn open(&self) -> Result<Target> {
        if let (Some(kubeconfig), Some(pid)) = (&self.kubeconfig, self.server) {
            let client = Arc::new(RemoteClient::from_kubeconfig(kubeconfig).await?);
            let server = Server::read(kubeconfig, self.connections).await?;
            let place = Place::There(Arc::new(server));
            return Ok(Target { process: Process::of(pid), client, place });
        }
        let cluster = Cluster::start(Options { data_dir: self.durable.clone(), ..quiet() }).await?;
        let client = cluster.client();
        Ok(Target { process: Process::this(), client, place: Place::Here(Box::new(cluster)) })
    }
}

// === impl Target ===

impl Target {
    /// Ends a server that is here.
    pub(crate) async fn close(self) {
        if let Place::Here(cluster) = self.place {
            cluster.stop().await;
        }
    }
}
