//! `windlass-agent`

mod certificates;
mod entry;

use super::remote::{Connected, Remote};
use crate::standalone::node_agent::{self, Place};
use crate::standalone::{KubeletOptions, RuntimeOptions, make_private_dir};
use certificates::{For, NodeCertificate};
use clap::Parser;
use std::net::IpAddr;
use std::path::PathBuf;
use windlass_api::pki::{Authority, CertificateResolver, KeyedCertificate};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component};

/// The node agent: runs the pods bound to this node
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  windlass-agent --kubeconfig node.kubeconfig --node-name worker-1 --node-ip 10.0.0.7 \\
      --tls-cert-file agent.crt --tls-private-key-file agent.key --client-ca-file ca.crt
  windlass-agent --bootstrap-kubeconfig token.kubeconfig --kubeconfig node.kubeconfig \\
      --node-name worker-1 --node-ip 10.0.0.7 --client-ca-file ca.crt"
)]
pub struct Agent {
    #[command(flatten)]
    remote: Remote,
    /// Kubeconfig by which a certificate is asked for, and the other one made, when that is not there
    #[arg(long, value_name = "FILE")]
    bootstrap_kubeconfig: Option<PathBuf>,
    /// The name of this node
    #[arg(long)]
    node_name: String,
    /// The address of this node, on which the agent listens too
    #[arg(long, value_name = "ADDR")]
    node_ip: IpAddr,
    /// Where containers, images and volumes are kept
    #[arg(long, default_value = "/var/lib/windlass-agent")]
    data_dir: PathBuf,
    #[command(flatten)]
    runtime: RuntimeOptions,
    /// Most pods that the node takes
    #[arg(long, default_value_t = 110, value_name = "COUNT")]
    max_pods: usize,
    #[command(flatten)]
    kubelet: KubeletOptions,
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
    /// Certificate the agent shows [default: one that it asks the cluster for]
    #[arg(long, value_name = "FILE", requires = "tls_private_key_file")]
    tls_cert_file: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    tls_private_key_file: Option<PathBuf>,
    /// Authority of those who may enter
    #[arg(long, value_name = "FILE")]
    client_ca_file: PathBuf,
}

impl Agent {
    /// Runs until SIGTERM or Ctrl-C; containers go on running, unless SIGTERM is to end them.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        let authority = read(&self.client_ca_file)?;
        if let Some(by) = &self.bootstrap_kubeconfig {
            entry::bootstrap(self.remote.path(), by, &self.node_name).await?;
        }
        let env = Env::system();
        let (path, clock) = (self.remote.path(), env.clock.clone());
        let (client, entered) = entry::connect(path, &self.node_name, clock).await?;
        let connected = Connected::by(client, env);
        let (own, serving) = self.shown(&connected)?;
        let (agent, farewell) = node_agent::build(Place {
            data_dir: &self.data_dir,
            runtime: &self.runtime,
            max_pods: self.max_pods,
            kubelet: &self.kubelet,
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
        let mut all: Vec<Box<dyn Component>> = vec![Box::new(agent)];
        let renewed = [entered, serving].into_iter().flatten();
        all.extend(renewed.map(|certificate| Box::new(certificate) as Box<dyn Component>));
        Connected { farewell, ..connected }.run(all, None).await
    }

    /// What the agent shows: the certificate that is given, or that of before; and what asks for another.
    fn shown(
        &self,
        connected: &Connected,
    ) -> Result<(CertificateResolver, Option<NodeCertificate>), BoxError> {
        if let (Some(certificate), Some(key)) = (&self.tls_cert_file, &self.tls_private_key_file) {
            let own = KeyedCertificate { certificate: read(certificate)?, key: read(key)? };
            return Ok((CertificateResolver::new(&own)?, None));
        }
        let (now, path) = (connected.env.clock.now(), self.data_dir.join("serving.pem"));
        make_private_dir(&self.data_dir)?;
        let (own, due) = match certificates::read(&path, now) {
            Some((own, due)) => (own, Some(due)),
            // Until a person has approved the request nobody believes it.
            None => {
                (Authority::ephemeral("unsigned", now)?.server(&self.node_name, &[], now)?, None)
            }
        };
        let shown = CertificateResolver::new(&own)?;
        let serving = NodeCertificate {
            node: self.node_name.clone(),
            what: For::Serving { name: self.node_name.clone(), address: self.node_ip },
            client: connected.client.clone(),
            clock: connected.env.clock.clone(),
            shown: shown.clone(),
            due,
            keep: Box::new(move |own| certificates::write(&path, own)),
        };
        Ok((shown, Some(serving)))
    }
}

fn read(path: &PathBuf) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
