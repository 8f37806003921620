//! The etcd v3 API over any [`Backend`]: `etcdctl`, `clientv3` and a Kubernetes API server can use the store
//! over the network.
//!
//! Requests mean what they mean in etcd 3.5, also in their errors, whose texts clients compare. There is one
//! member, and no authentication but client certificates.

mod auth;
mod check;
mod cluster;
mod convert;
mod kv;
mod lease;
mod maintenance;
mod options;
mod proto;
mod range;
mod shared;
mod status;
mod together;
mod txn;
mod watch;

pub use options::{ServerOptions, Tls};

use crate::{Backend, Error, Result};
use futures::StreamExt;
use proto::rpc;
use shared::Shared;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use together::Together;
use tokio::net::TcpListener;
use tonic::transport::server::{Router, Server, TcpIncoming};

/// Above the limit of a request: what its frame may add, so that one that is too large is told so.
const OVERHEAD: usize = 512 << 10;
/// How long open requests may take to end after the server was told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// A client that does not answer a ping for so long is gone.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves a store to clients of etcd.
pub struct EtcdServer {
    shared: Arc<Shared>,
}

// === impl EtcdServer ===

impl EtcdServer {
    /// A server of this store with the default options.
    pub fn new(store: Arc<dyn Backend>) -> Self {
        Self::with_options(store, ServerOptions::default())
    }

    /// A server of this store.
    pub fn with_options(store: Arc<dyn Backend>, options: ServerOptions) -> Self {
        Self { shared: Arc::new(Shared::new(store, options)) }
    }

    /// Serves until `shutdown` is ready. Then no request is taken, watches end with `Unavailable`, requests under
    /// way have a few seconds to finish.
    ///
    /// With several TLS implementations in one program, the process must have a default one (`rustls`'
    /// `CryptoProvider::install_default`).
    ///
    /// # Errors
    /// [`Error::Invalid`] for certificates or keys that can't be used, [`Error::Io`].
    pub async fn serve(
        self,
        listener: TcpListener,
        tls: Option<Tls>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        let router = self.router(tls)?;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let incoming = incoming.map(|socket| socket.map(Together::new));
        let mut stopped = self.shared.stopped();
        let stop = async {
            shutdown.await;
            self.shared.stop();
        };
        let serving = router.serve_with_incoming_shutdown(incoming, stop);
        let overdue = async {
            stopped.wait().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            served = serving => served.map_err(|error| Error::Io {
                context: "serve etcd clients".into(),
                source: std::io::Error::other(error),
            }),
            () = overdue => {
                tracing::warn!("requests were still open {GRACE:?} after the end and were cut off");
                Ok(())
            }
        }
    }

    fn router(&self, tls: Option<Tls>) -> Result<Router> {
        let options = &self.shared.options;
        let mut server = Server::builder()
            .timeout(options.request_timeout)
            .max_concurrent_streams(options.max_concurrent_streams)
            .http2_keepalive_interval(Some(options.keepalive_interval))
            .http2_keepalive_timeout(Some(PING_TIMEOUT));
        if let Some(tls) = tls {
            let unusable = |error: tonic::transport::Error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                Error::Invalid(format!("TLS: {}", cause.unwrap_or_else(|| error.to_string())))
            };
            server = server.tls_config(tls.config()).map_err(unusable)?;
        }
        let shared = || self.shared.clone();
        let largest = options.max_request_bytes.saturating_add(OVERHEAD);
        Ok(server
            .add_service(
                rpc::kv_server::KvServer::new(kv::Kv(shared()))
                    .max_decoding_message_size(largest)
                    .max_encoding_message_size(usize::MAX),
            )
            .add_service(
                rpc::watch_server::WatchServer::new(watch::Watch(shared()))
                    .max_encoding_message_size(usize::MAX),
            )
            .add_service(rpc::lease_server::LeaseServer::new(lease::Lease(shared())))
            .add_service(rpc::cluster_server::ClusterServer::new(cluster::Cluster(shared())))
            .add_service(rpc::auth_server::AuthServer::new(auth::Auth(shared())))
            .add_service(rpc::maintenance_server::MaintenanceServer::new(
                maintenance::Maintenance(shared()),
            )))
    }
}
