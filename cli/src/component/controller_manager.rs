//! `windlass-controller-manager`

use super::election::Election;
use super::remote::{Connected, Remote};
use crate::tokens::{CertificateAuthority, Signer};
use clap::{Args, Parser};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use windlass_api::authentication::TokenKeys;
use windlass_api::pki::{Authority, KeyedCertificate, public_half};
use windlass_controllers::{
    CertificateSigner, Context, EvictionRates, Settings, TokenSigner, registry,
};
use windlass_core::component::BoxError;
use windlass_core::meta::parse_duration;

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
    #[command(flatten)]
    election: Election,
    #[command(flatten)]
    eviction: Eviction,
    /// Only these controllers
    #[arg(long, value_delimiter = ',')]
    controllers: Vec<String>,
    /// Addresses of pods; each node gets a part
    #[arg(long, default_value = "10.244.0.0/16", value_name = "CIDR")]
    cluster_cidr: String,
    /// The cluster's authority, for `kube-root-ca.crt`
    #[arg(long, value_name = "FILE")]
    root_ca_file: Option<PathBuf>,
    /// The key that signs the tokens kept in Secrets; without it such Secrets stay empty
    #[arg(long, value_name = "FILE")]
    service_account_private_key_file: Option<PathBuf>,
    /// The authority that signs what CertificateSigningRequests ask for; without it nothing is signed
    #[arg(long, value_name = "FILE", requires = "cluster_signing_key_file")]
    cluster_signing_cert_file: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "cluster_signing_cert_file")]
    cluster_signing_key_file: Option<PathBuf>,
    /// How long such certificates hold at most
    #[arg(long, default_value = "8760h0m0s", value_name = "DURATION", value_parser = parse_duration)]
    cluster_signing_duration: Duration,
    /// Tokens kept in Secrets that an account lists and nobody uses are deleted after this time, and as long before no
    /// longer taken
    #[arg(long, default_value = "8760h0m0s", value_name = "DURATION", value_parser = parse_duration)]
    legacy_service_account_token_clean_up_period: Duration,
    /// Where `/healthz` and `/metrics` answer
    #[arg(long, default_value = "127.0.0.1:10252", value_name = "ADDR:PORT")]
    health_address: SocketAddr,
}

/// How fast pods are driven out of nodes that fell silent.
#[derive(Args)]
struct Eviction {
    /// How long a node may be silent before it counts as lost
    #[arg(long, default_value = "40s", value_name = "DURATION", value_parser = parse_duration)]
    node_monitor_grace_period: Duration,
    /// Lost nodes a second, in each zone, whose pods are driven out
    #[arg(long, default_value_t = 0.1, value_name = "RATE")]
    node_eviction_rate: f64,
    /// The same in a large zone of which most nodes are lost; in a small one it is none
    #[arg(long, default_value_t = 0.01, value_name = "RATE")]
    secondary_node_eviction_rate: f64,
    /// A zone with more nodes is large
    #[arg(long, default_value_t = 50, value_name = "NODES")]
    large_cluster_size_threshold: usize,
    /// The share of lost nodes that is most of a zone
    #[arg(long, default_value_t = 0.55, value_name = "SHARE")]
    unhealthy_zone_threshold: f64,
}

impl ControllerManager {
    /// Runs until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// What is wrong, in one line.
    pub async fn run(self) -> Result<(), BoxError> {
        let ca_pem = self.root_ca_file.as_deref().map_or(Ok(String::new()), read)?;
        let tokens = self.service_account_private_key_file.as_deref().map(signer).transpose()?;
        let connected = self.remote.connect().await?;
        let settings = Settings {
            ca_pem,
            tokens,
            certificates: self.authority()?,
            certificate_duration: self.cluster_signing_duration,
            cluster_cidr: self.cluster_cidr,
            discovery: connected.discovery.clone(),
            node_monitor_grace_period: self.eviction.node_monitor_grace_period,
            legacy_token_clean_up_period: self.legacy_service_account_token_clean_up_period,
            eviction_rates: self.eviction.rates(),
            ..Settings::default()
        };
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
        let make = async |connected: &Connected| {
            let (client, env) = (connected.client.clone(), connected.env.clone());
            let context = Context::new(client, env, connected.shutdown.clone());
            registry::start(&context.with_settings(settings), wanted)
        };
        self.election.run(connected, "kube-controller-manager", self.health_address, make).await
    }
}

impl Eviction {
    fn rates(&self) -> EvictionRates {
        EvictionRates {
            node_eviction_rate: self.node_eviction_rate,
            secondary_node_eviction_rate: self.secondary_node_eviction_rate,
            large_cluster_size_threshold: self.large_cluster_size_threshold,
            unhealthy_zone_threshold: self.unhealthy_zone_threshold,
        }
    }
}

impl ControllerManager {
    fn authority(&self) -> Result<Option<Arc<dyn CertificateSigner>>, BoxError> {
        let (Some(certificate), Some(key)) =
            (&self.cluster_signing_cert_file, &self.cluster_signing_key_file)
        else {
            return Ok(None);
        };
        let pem = KeyedCertificate { certificate: read(certificate)?, key: read(key)? };
        let authority = Authority::from_pem("cluster signing", pem)?;
        Ok(Some(Arc::new(CertificateAuthority(Arc::new(authority)))))
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Signs with the key of a file. The tokens name their issuer themselves.
fn signer(path: &Path) -> Result<Arc<dyn TokenSigner>, BoxError> {
    let private = read(path)?;
    let named = |error| format!("{}: {error}", path.display());
    let public = public_half(&private).map_err(named)?;
    let keys = TokenKeys::new("", &private, &public).map_err(named)?;
    Ok(Arc::new(Signer(Arc::new(keys))))
}
