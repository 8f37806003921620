//! A server that runs, over TLS.

use super::{Load, run};
use crate::Result;
use http::Uri;
use kube::client::ConfigExt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

/// The way to a server that runs.
pub struct Server {
    tls: TlsConnector,
    host: ServerName<'static>,
    /// Its name and port.
    pub authority: String,
    connections: usize,
}

// === impl Server ===

impl Server {
    /// The server that a kubeconfig names, for clients that share so many connections.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn read(kubeconfig: &Path, connections: usize) -> Result<Self> {
        let file = kube::config::Kubeconfig::read_from(kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(file, &Default::default()).await?;
        let mut tls = config.rustls_client_config()?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let uri: &Uri = &config.cluster_url;
        let host = uri.host().ok_or("the kubeconfig names no host")?;
        let authority = format!("{host}:{}", uri.port_u16().unwrap_or(443));
        let host = ServerName::try_from(host.to_owned())?;
        let connections = connections.max(1);
        Ok(Self { tls: TlsConnector::from(Arc::new(tls)), host, authority, connections })
    }

    /// A connection of one's own.
    ///
    /// # Errors
    /// When the server is not there, or not the one of the kubeconfig.
    pub async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(&self.authority).await?;
        socket.set_nodelay(true)?;
        Ok(self.tls.connect(self.host.clone(), socket).await?)
    }

    /// Shares clients out to connections, each with a load of its own; how long each request took, in nanoseconds.
    ///
    /// # Errors
    /// Those of [`run`].
    pub async fn run<L: Load + 'static>(
        self: &Arc<Self>,
        clients: usize,
        load: impl Fn(usize) -> Arc<L>,
    ) -> Result<Vec<u64>> {
        let connections = self.connections.min(clients);
        let tasks = (0..connections).map(|n| {
            let share = clients / connections + usize::from(n < clients % connections);
            let (server, load) = (self.clone(), load(share));
            tokio::spawn(async move { run(server.connect().await?, share, &*load).await })
        });
        let times = futures::future::try_join_all(tasks).await?;
        Ok(times.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }
}
