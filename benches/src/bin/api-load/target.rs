//! The API server that gets the load.

use clap::Args;
use http::Uri;
use kube::client::ConfigExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use windlass::standalone::{Cluster, Options};
use windlass_benches::{Process, Result, wire};
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
    There(Arc<Wire>),
}

/// The way to a server that runs.
pub(crate) struct Wire {
    tls: TlsConnector,
    host: ServerName<'static>,
    pub(crate) authority: String,
    connections: usize,
}

/// A control plane on which only the load writes.
pub(crate) fn quiet() -> Options {
    Options { controllers: false, scheduler: false, ..Options::in_memory() }
}

// === impl Which ===

impl Which {
    pub(crate) async fn open(&self) -> Result<Target> {
        if let (Some(kubeconfig), Some(server)) = (&self.kubeconfig, self.server) {
            let client = Arc::new(RemoteClient::from_kubeconfig(kubeconfig).await?);
            let wire = Wire::read(kubeconfig, self.connections.max(1)).await?;
            let place = Place::There(Arc::new(wire));
            return Ok(Target { process: Process::of(server), client, place });
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

// === impl Wire ===

impl Wire {
    async fn read(kubeconfig: &PathBuf, connections: usize) -> Result<Self> {
        let file = kube::config::Kubeconfig::read_from(kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(file, &Default::default()).await?;
        let mut tls = config.rustls_client_config()?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let uri: &Uri = &config.cluster_url;
        let host = uri.host().ok_or("the kubeconfig names no host")?;
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(443));
        let host = ServerName::try_from(host.to_owned())?;
        Ok(Self { tls: TlsConnector::from(Arc::new(tls)), host, authority, connections })
    }

    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(&self.authority).await?;
        socket.set_nodelay(true)?;
        Ok(self.tls.connect(self.host.clone(), socket).await?)
    }

    /// Shares clients out to connections, each with a load of its own; how long each request took.
    pub(crate) async fn run<L: wire::Load + 'static>(
        self: &Arc<Self>,
        clients: usize,
        load: impl Fn(usize) -> Arc<L>,
    ) -> Result<Vec<u64>> {
        let connections = self.connections.min(clients);
        let tasks = (0..connections).map(|n| {
            let share = clients / connections + usize::from(n < clients % connections);
            let (wire, load) = (self.clone(), load(share));
            tokio::spawn(async move { wire::run(wire.connect().await?, share, &*load).await })
        });
        let times = futures::future::try_join_all(tasks).await?;
        Ok(times.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }
}
