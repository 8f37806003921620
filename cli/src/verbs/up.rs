//! `windlass up`

use crate::component::audit::AuditFlags;
use crate::standalone::{
    Cluster, ClusterDns, DATA_DIR, Encryption, KubeletOptions, NodeOptions, Options, ProxyMode,
    ProxyOptions, RuntimeOptions,
};
use clap::Args;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use windlass_core::component::BoxError;

/// Start a cluster in this process: store, API server, controllers, scheduler, node, proxy
#[derive(Args)]
#[command(after_help = "Examples:
  windlass up                                             data in /var/lib/windlass, API on port 6443
  windlass up --data-dir ./data --listen 127.0.0.1:6443   for this machine only, not for its pods
  windlass up --no-node --data-dir ./data                 a control plane only; needs no root")]
pub(super) struct Up {
    /// Where everything is kept
    #[arg(long, default_value = DATA_DIR)]
    data_dir: PathBuf,
    #[command(flatten)]
    encryption: Encryption,
    /// Keeps the store as it is, readable by whoever reads the disk
    #[arg(long, conflicts_with_all = ["keys", "read_plain"])]
    no_encryption: bool,
    /// Where the API server listens; pods can't reach it on a loopback address
    #[arg(long, default_value = "0.0.0.0:6443", value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Where pods and other machines reach the API server [default: found out]
    #[arg(long, value_name = "ADDR")]
    advertise_address: Option<IpAddr>,
    /// Addresses of Services
    #[arg(long, default_value = "10.96.0.0/16", value_name = "CIDR")]
    service_cidr: String,
    /// Addresses of pods; of both families with a comma between them
    #[arg(long, default_value = "10.244.0.0/16", value_name = "CIDR")]
    pod_cidr: String,
    /// Where every node answers questions for names: an address of Services, or none [default: the tenth]
    #[arg(long, value_name = "ADDR|none")]
    cluster_dns: Option<ClusterDns>,
    /// The domain of the cluster's names
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// No node: pods stay pending until one joins
    #[arg(long)]
    no_node: bool,
    /// The node's name [default: the host's name]
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,
    /// Port of the node's agent
    #[arg(long, default_value_t = 10250, value_name = "PORT")]
    agent_port: u16,
    /// How Services get to pods
    #[arg(long, value_enum, default_value_t = ProxyMode::Nftables)]
    proxy: ProxyMode,
    #[command(flatten)]
    services: ProxyOptions,
    #[command(flatten)]
    runtime: RuntimeOptions,
    /// Most pods that the node takes
    #[arg(long, default_value_t = 110, value_name = "COUNT")]
    max_pods: usize,
    #[command(flatten)]
    kubelet: KubeletOptions,
    /// Made once all parts are ready, for scripts
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    #[command(flatten)]
    audit: AuditFlags,
}

impl Up {
    pub(super) async fn run(self) -> Result<(), BoxError> {
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        println!("Windlass {}, data in {}", env!("CARGO_PKG_VERSION"), self.data_dir.display());
        let mut stopped = std::pin::pin!(async {
            tokio::select! { _ = term.recv() => true, _ = int.recv() => false }
        });
        let options = self.options()?;
        let mut cluster = tokio::select! {
            started = Cluster::start(options) => started?,
            _ = &mut stopped => return Ok(()),
        };
        self.announce(&cluster)?;
        let failure = tokio::select! {
            goes_down = stopped => {
                if goes_down && cluster.end_pods().await {
                    println!("The node's pods have ended");
                }
                None
            }
            error = cluster.failure() => Some(error),
        };
        println!("Stopping; containers that run go on");
        cluster.stop().await;
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    fn options(&self) -> Result<Options, BoxError> {
        let base = Options::on_this_machine();
        let node = NodeOptions {
            name: self.node_name.clone(),
            agent_port: self.agent_port,
            proxy: self.proxy,
            services: self.services.clone(),
            runtime: self.runtime.clone(),
            max_pods: self.max_pods,
            kubelet: self.kubelet.clone(),
        };
        Ok(Options {
            data_dir: Some(self.data_dir.clone()),
            audit: self.audit.open(base.env.clock.clone())?,
            encryption: Encryption { own_key: !self.no_encryption, ..self.encryption.clone() },
            listen: Some(self.listen),
            advertise: self.advertise_address,
            service_cidr: self.service_cidr.clone(),
            pod_cidr: self.pod_cidr.clone(),
            cluster_dns: self.cluster_dns.unwrap_or_default(),
            cluster_domain: self.cluster_domain.clone(),
            node: Some(node).filter(|_| !self.no_node),
            progress: Arc::new(tick),
            ..base
        })
    }

    fn announce(&self, cluster: &Cluster) -> Result<(), BoxError> {
        if let Some(path) = cluster.kubeconfig() {
            println!("\n  export KUBECONFIG={}\n  kubectl get nodes\n", path.display());
        }
        println!("Ctrl-C stops the cluster");
        if let Some(file) = &self.ready_file {
            std::fs::write(file, "ready\n")
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
        Ok(())
    }
}

/// A line of the checklist.
fn tick(part: &str, passed: Duration) {
    println!("  [x] {part:<14} {:>6} ms", passed.as_millis());
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use windlass_proxy::model::NodePortAddresses;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        up: Up,
    }

    #[test]
    fn the_proxy_takes_the_flags_of_its_own_program() {
        let flags = ["--nodeport-addresses", "primary", "--stub-domain", "corp.example=192.0.2.1"];
        let up = Line::parse_from(["up", "--no-network-policy"].into_iter().chain(flags));
        let services = up.up.options().unwrap().node.unwrap().services;
        assert!(services.no_network_policy);
        assert_eq!(services.nodeport_addresses, NodePortAddresses::Primary);
        assert_eq!(services.stub_domains, ["corp.example=192.0.2.1"]);
        assert!(Line::try_parse_from(["up", "--nodeport-addresses", "eth0"]).is_err());
    }

    #[test]
    fn requests_are_recorded_where_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let (policy, log) = (path("policy.yaml"), path("audit.log"));
        let text = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n";
        std::fs::write(&policy, text).unwrap();
        let flags = ["up", "--audit-policy-file", &policy, "--audit-log-path", &log];
        assert!(Line::parse_from(flags).up.options().unwrap().audit.is_some());
        assert!(Line::parse_from(["up"]).up.options().unwrap().audit.is_none());
        std::fs::write(&policy, "rubbish").unwrap();
        assert!(Line::parse_from(flags).up.options().is_err());
    }
}
