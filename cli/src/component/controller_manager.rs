//! `windlass-controller-manager`

use super::remote::Remote;
use clap::Parser;
use std::net::SocketAddr;
use std::path::PathBuf;
use windlass_controllers::{Context, Settings, registry};
use windlass_core::component::BoxError;

/// The controllers
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:
  windlass-controller-manager --kubeconfig admin.kubeconfig --root-ca-file pki/ca.crt
  windlass-controller-manager --kubeconfig admin.kubeconfig --controllers=deployment-controller,replicaset-controller"
)]
pub struct ControllerManager {
    #[command(flatten)]
    remote: Remote,
    /// Only these controllers
    #[arg(long, value_delimiter = ',')]
    controllers: Vec<String>,
    /// Addresses of pods; each node gets a part
    #[arg(long, default_value = "10.244.0.0/16", value_name = "CIDR")]
    cluster_cidr: String,
    /// The cluster's authority, for `kube-root-ca.crt`
    #[arg(long, value_name = "FILE")]
    root_ca_file: Option<PathBuf>,
    /// Where `/healthz` answers
    #[arg(long, default_value = "127.0.0.1:10252", value_name = "ADDR:PORT")]
    health_address: SocketAddr,
}

impl ControllerManager {
    /// Runs until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        let ca_pem = match &self.root_ca_file {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?
            }
            None => String::new(),
        };
        let settings = Settings { ca_pem, cluster_cidr: self.cluster_cidr, ..Settings::default() };
        let connected = self.remote.connect().await?;
        let (client, env) = (connected.client.clone(), connected.env.clone());
        let context = Context::new(client, env, connected.shutdown.clone()).with_settings(settings);
        let all = self.controllers.is_empty();
        let wanted = |name: &str| all || self.controllers.iter().any(|one| one == name);
        let unknown =
            self.controllers.iter().find(|one| registry::ALL.iter().all(|(name, _)| name != one));
        if let Some(unknown) = unknown {
            let known: Vec<_> = registry::ALL.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "no controller is called {unknown:?}; there are: {}",
                known.join(", ")
            )
            .into());
        }
        connected.run(registry::start(&context, wanted), Some(self.health_address)).await
    }
}
