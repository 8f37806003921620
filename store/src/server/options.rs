//! How a server is set up.

use std::sync::Arc;
use std::time::Duration;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

/// Bounds, times and what the server says of itself.
#[derive(Clone)]
pub struct ServerOptions {
    /// Name of the one member.
    pub name: String,
    /// Where clients reach it; shown in the list of members.
    pub client_urls: Vec<String>,
    /// Longest request that writes, in bytes.
    pub max_request_bytes: usize,
    /// How many comparisons, or operations of one branch, a transaction may have.
    pub max_txn_ops: usize,
    /// How many requests a connection may have open at a time.
    pub max_concurrent_streams: u32,
    /// How many watches one stream may hold.
    pub max_watches: usize,
    /// A request that is not a stream is given up after so long.
    pub request_timeout: Duration,
    /// A watch that asked for it and had no event for so long is told how far it has come.
    pub progress_interval: Duration,
    /// How often a connection is pinged.
    pub keepalive_interval: Duration,
    /// How many bytes the store takes, for those who ask for its status.
    pub db_size: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Tls {
    /// The server's certificate, followed by those in between.
    pub cert: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// Authorities whose certificates clients may show.
    pub client_ca: Option<Vec<u8>>,
    /// Whether a client without a certificate is refused. Needs `client_ca`.
    pub client_cert_required: bool,
}

// === impl ServerOptions ===

impl Default for ServerOptions {
    /// Member `default`, requests of 1.5 MiB, 128 operations, as in etcd; 10 minutes between reports of progress.
    fn default() -> Self {
        Self {
            name: "default".into(),
            client_urls: Vec::new(),
            max_request_bytes: 1536 << 10,
            max_txn_ops: 128,
            max_concurrent_streams: 16_384,
            max_watches: 16_384,
            request_timeout: Duration::from_secs(30),
            progress_interval: Duration::from_secs(600),
            keepalive_interval: Duration::from_secs(30),
            db_size: Arc::new(|| 0),
        }
    }
}

// === impl Tls ===

impl Tls {
    pub(super) fn config(&self) -> ServerTlsConfig {
        let config = ServerTlsConfig::new().identity(Identity::from_pem(&self.cert, &self.key));
        match &self.client_ca {
            None => config,
            Some(ca) => config
                .client_ca_root(Certificate::from_pem(ca))
                .client_auth_optional(!self.client_cert_required),
        }
    }
}
