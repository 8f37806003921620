//! `windlass-apiserver`

use super::access::AccessFlags;
use super::admission::AdmissionFlags;
use super::audit::AuditFlags;
use super::etcd::EtcdFlags;
use super::limits::LimitFlags;
use crate::standalone::{Cluster, DATA_DIR, Encryption, Options};
use clap::Parser;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use windlass_core::clock::Env;
use windlass_core::component::BoxError;
use windlass_core::meta::parse_duration;

/// The API server, with its durable store
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  windlass-apiserver --data-dir ./data
  windlass-apiserver --data-dir ./data --etcd-servers http://127.0.0.1:2379
  kubectl --kubeconfig ./data/admin.kubeconfig get namespaces"
)]
pub struct ApiServer {
    /// Where objects, certificates and the administrator's kubeconfig are kept
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    encryption: Encryption,
    /// Where it listens, with TLS
    #[arg(long, default_value = "0.0.0.0:6443", value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Where pods and other machines reach it [default: found out]
    #[arg(long, value_name = "ADDR")]
    advertise_address: Option<IpAddr>,
    /// Addresses of Services
    #[arg(long, default_value = "10.96.0.0/16", value_name = "CIDR")]
    service_cidr: String,
    /// How long events live; 0s: for ever
    #[arg(long, default_value = "1h0m0s", value_name = "DURATION", value_parser = parse_duration)]
    event_ttl: Duration,
    #[command(flatten)]
    limits: LimitFlags,
    #[command(flatten)]
    etcd: EtcdFlags,
    #[command(flatten)]
    admission: AdmissionFlags,
    #[command(flatten)]
    access: AccessFlags,
    #[command(flatten)]
    audit: AuditFlags,
}

impl ApiServer {
    /// Runs until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let env = Env::system();
        let mut cluster = Cluster::start(Options {
            store: self.etcd.open().await?,
            admission: self.admission.plugins()?,
            access: self.access.open(env.clock.clone()).await?,
            audit: self.audit.open(env.clock.clone())?,
            env,
            data_dir: Some(self.data_dir),
            encryption: self.encryption,
            listen: Some(self.listen),
            advertise: self.advertise_address,
            service_cidr: self.service_cidr,
            event_ttl: self.event_ttl,
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
