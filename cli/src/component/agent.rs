//! `windlass-agent`

use super::remote::Remote;
use crate::standalone::node_agent::{self, Place};
use clap::Parser;
use std::net::IpAddr;
use std::path::PathBuf;
use windlass_api::pki::{CertificateResolver, KeyedCertificate};
use windlass_core::component::BoxError;

/// The node agent: runs the pods bound to this node
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  windlass-agent --kubeconfig node.kubeconfig --node-name worker-1 --node-ip 10.0.0.7 \\
      --tls-cert-file agent.crt --tls-private-key-file agent.key --client-ca-file ca.crt"
)]
pub struct Agent {
    #[command(flatten)]
    remote: Remote,
    /// The name of this node
    #[arg(long)]
    node_name: String,
    /// The address of this node, on which the agent listens too
    #[arg(long, value_name = "ADDR")]
    node_ip: IpAddr,
    /// Where containers, images and volumes are kept
    #[arg(long, default_value = "/var/lib/windlass-agent")]
    data_dir: PathBuf,
    /// Port for logs, exec and port-forward
    #[arg(long, default_value_t = 10250)]
    port: u16,
    /// Addresses of all pods
    #[arg(long, default_value = "10.244.0.0/16", value_name = "CIDR")]
    cluster_cidr: String,
    /// Addresses of Services
    #[arg(long, default_value = "10.96.0.0/16", value_name = "CIDR")]
    service_cidr: String,
    /// Where pods ask for names [default: where the node does]
    #[arg(long, value_name = "ADDR")]
    cluster_dns: Option<IpAddr>,
    /// The domain of the cluster's names
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// Certificate the agent shows
    #[arg(long, value_name = "FILE")]
    tls_cert_file: PathBuf,
    /// Its key
    #[arg(long, value_name = "FILE")]
    tls_private_key_file: PathBuf,
    /// Authority of those who may enter
    #[arg(long, value_name = "FILE")]
    client_ca_file: PathBuf,
}

impl Agent {
    /// Runs until SIGTERM or Ctrl-C; containers go on running.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let own = CertificateResolver::new(&KeyedCertificate {
            certificate: read(&self.tls_cert_file)?,
            key: read(&self.tls_private_key_file)?,
        })?;
        let authority = read(&self.client_ca_file)?;
        let connected = self.remote.connect().await?;
        let agent = node_agent::build(Place {
            data_dir: &self.data_dir,
            name: &self.node_name,
            address: self.node_ip,
            port: self.port,
            port_option: "--port",
            pod_cidr: &self.cluster_cidr,
            service_cidr: &self.service_cidr,
            cluster_dns: self.cluster_dns,
            cluster_domain: &self.cluster_domain,
            own: &own,
            authority: &authority,
            client: connected.client.clone(),
            informers: connected.informers.clone(),
            env: connected.env.clone(),
        })
        .await?;
        connected.run(vec![Box::new(agent)], None).await
    }
}
