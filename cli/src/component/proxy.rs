//! `windlass-proxy`

use super::remote::Remote;
use crate::standalone::{ProxyDuties, ProxyMode, ProxyOptions, dns, proxy};
use clap::Parser;
use prometheus_client::registry::Registry;
use std::net::{IpAddr, SocketAddr};
use windlass_core::component::BoxError;

/// The service proxy of a node
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  windlass-proxy --kubeconfig proxy.kubeconfig --node-name worker-1
  windlass-proxy --kubeconfig proxy.kubeconfig --node-name worker-1 --mode userspace   without root"
)]
pub struct Proxy {
    #[command(flatten)]
    remote: Remote,
    /// The name of this node
    #[arg(long)]
    node_name: String,
    /// How Services get to pods
    #[arg(long, value_enum, default_value_t = ProxyMode::Nftables)]
    mode: ProxyMode,
    #[command(flatten)]
    options: ProxyOptions,
    /// Addresses of all pods; of both families with a comma between them
    #[arg(long, default_value = "10.244.0.0/16", value_name = "CIDR")]
    cluster_cidr: String,
    /// Serves the cluster's names at this address, which becomes this node's own; needs root
    #[arg(long, value_name = "ADDR")]
    cluster_dns: Option<IpAddr>,
    /// The domain of the cluster's names
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// Where `/healthz` and `/metrics` answer
    #[arg(long, default_value = "127.0.0.1:31080", value_name = "ADDR:PORT")]
    health_address: SocketAddr,
}

impl Proxy {
    /// Runs until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        let connected = self.remote.connect().await?;
        let (informers, env) = (connected.informers.clone(), connected.env.clone());
        let (mut registry, mut parts) = (Registry::default(), Vec::new());
        let (address, domain) = (self.cluster_dns, &self.cluster_domain);
        let stubs = &self.options.stub_domains;
        parts.extend(dns(address, domain, stubs, informers.clone(), env.clone(), &mut registry)?);
        let duties = ProxyDuties {
            mode: self.mode,
            options: &self.options,
            pods: &self.cluster_cidr,
            dns: address,
        };
        let health = self.health_address;
        let proxy = proxy(duties, &self.node_name, informers, env, health, registry);
        parts.extend(proxy.await?);
        if parts.is_empty() {
            return Err("--mode none without --cluster-dns leaves nothing to do".into());
        }
        connected.run(parts, None).await
    }
}
