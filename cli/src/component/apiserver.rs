//! `windlass-apiserver`

use super::limits::LimitFlags;
use crate::standalone::{Cluster, DATA_DIR, Options};
use clap::Parser;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use windlass_core::component::BoxError;

/// The API server, with its durable store
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  windlass-apiserver --data-dir ./data
  kubectl --kubeconfig ./data/admin.kubeconfig get namespaces"
)]
pub struct ApiServer {
    /// Where objects, certificates and the administrator's kubeconfig are kept
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
    /// Where it listens, with TLS
    #[arg(long, default_value = "0.0.0.0:6443", value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Where pods and other machines reach it [default: found out]
    #[arg(long, value_name = "ADDR")]
    advertise_address: Option<IpAddr>,
    /// Addresses of Services
    #[arg(long, default_value = "10.96.0.0/16", value_name = "CIDR")]
    service_cidr: String,
    #[command(flatten)]
    limits: LimitFlags,
}

impl ApiServer {
    /// Runs until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut cluster = Cluster::start(Options {
            data_dir: Some(self.data_dir),
            listen: Some(self.listen),
            advertise: self.advertise_address,
            service_cidr: self.service_cidr,
            limits: self.limits.limits(),
            serve: self.limits.serve(),
            controllers: false,
            scheduler: false,
            ..Options::in_memory()
        })
        .await?;
        let ended = tokio::select! {
            _ = term.recv() => Ok(()),
            _ = int.recv() => Ok(()),
            error = cluster.failure() => Err(error.into()),
        };
        cluster.stop().await;
        ended
    }
}
