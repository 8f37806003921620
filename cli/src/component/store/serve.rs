//! Serving a data directory.

use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use windlass_core::component::BoxError;
use windlass_store::server::{EtcdServer, ServerOptions, Tls};
use windlass_store::{Durability, Embedded, EmbeddedOptions};

#[derive(Args)]
pub(super) struct Serve {
    /// Where the store is kept
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:2379", value_name = "ADDR:PORT")]
    listen_client: SocketAddr,
    /// Certificate of the server (PEM): with it the server speaks TLS
    #[arg(long, requires = "key_file", value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// Key of the certificate (PEM)
    #[arg(long, requires = "cert_file", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Authorities of clients' certificates (PEM): clients that show none are refused
    #[arg(long, requires = "cert_file", value_name = "FILE")]
    trusted_ca_file: Option<PathBuf>,
    /// Refuse clients that show no certificate, as --trusted-ca-file does by itself, here and in etcd
    #[arg(long, requires = "trusted_ca_file")]
    client_cert_auth: bool,
    /// Listen without TLS where other machines can reach it: they may read and write everything
    #[arg(long, conflicts_with = "cert_file")]
    insecure: bool,
    /// What a write that was acknowledged survives: power loss (fsync), the end of the process (buffered)
    #[arg(long, default_value = "fsync")]
    durability: Durable,
    /// Longest request
    #[arg(long, default_value_t = 1536 << 10, value_name = "BYTES")]
    max_request_bytes: usize,
    /// How many operations a transaction may have
    #[arg(long, default_value_t = 128, value_name = "COUNT")]
    max_txn_ops: usize,
    /// How often an idle watch that wants to know is told how far it has come
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    watch_progress_notify_interval: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Durable {
    Fsync,
    Buffered,
}

// === impl Serve ===

impl Serve {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let tls = self.tls()?;
        let options = EmbeddedOptions {
            durability: match self.durability {
                Durable::Fsync => Durability::Fsync,
                Durable::Buffered => Durability::Buffered,
            },
            ..EmbeddedOptions::new(&self.data_dir)
        };
        let store = tokio::task::spawn_blocking(|| Embedded::open(options)).await??;
        let store = Arc::new(store);
        let listener = TcpListener::bind(self.listen_client).await;
        let listener =
            listener.map_err(|e| format!("can't listen on {}: {e}", self.listen_client))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        let expiry = tokio::spawn(store.expiry());
        let stop = async move {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        };
        println!("Serving {} at {url}", self.data_dir.display());
        let server = EtcdServer::with_options(store.clone(), self.options(url));
        let served = server.serve(listener, tls, stop).await;
        expiry.abort();
        store.close().await?;
        Ok(served?)
    }

    fn options(&self, url: String) -> ServerOptions {
        let dir = self.data_dir.clone();
        ServerOptions {
            client_urls: vec![url],
            max_request_bytes: self.max_request_bytes,
            max_txn_ops: self.max_txn_ops,
            // A period of zero would never let anything else happen.
            progress_interval: Duration::from_secs(self.watch_progress_notify_interval.max(1)),
            db_size: Arc::new(move || size_of(&dir)),
            ..ServerOptions::default()
        }
    }

    fn tls(&self) -> Result<Option<Tls>, BoxError> {
        let (Some(cert), Some(key)) = (&self.cert_file, &self.key_file) else {
            if self.insecure || self.listen_client.ip().is_loopback() {
                return Ok(None);
            }
            let address = self.listen_client;
            let what = "give --cert-file and --key-file, or --insecure";
            return Err(format!("{address} can be reached by other machines: {what}").into());
        };
        // Fails only where there is one already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        Ok(Some(Tls {
            cert: read(cert)?,
            key: read(key)?,
            client_ca: self.trusted_ca_file.as_deref().map(read).transpose()?,
            client_cert_required: self.client_cert_auth || self.trusted_ca_file.is_some(),
        }))
    }
}

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, BoxError> {
    let path = path.as_ref();
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Bytes of the files in a directory; those that went away meanwhile are none.
fn size_of(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}
