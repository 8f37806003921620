//! What a controller is given.

use std::sync::Arc;
use std::time::Duration;
use windlass_core::cache::InformerFactory;
use windlass_core::client::{Client, Discovery};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Shutdown};
use windlass_core::events::Recorder;

/// What every controller is given. Cheap to clone; clones share caches and the queue of events.
#[derive(Clone)]
pub struct Context {
    /// Where objects are written, and read when a cache will not do.
    pub client: Arc<dyn Client>,
    /// Where objects are read: one informer for each kind, shared by all controllers.
    pub informers: InformerFactory,
    /// Where events go. Each controller speaks in its own name.
    pub recorder: Recorder,
    /// Time and chance.
    pub env: Env,
    /// What can be set.
    pub settings: Arc<Settings>,
}

/// What can be set. The defaults are Kubernetes'.
#[derive(Clone)]
pub struct Settings {
    /// The cluster's certificate authority in PEM, for `kube-root-ca.crt` and token Secrets. Empty: nothing is published.
    pub ca_pem: String,
    /// Signs the tokens of Secrets of type `kubernetes.io/service-account-token`. None: such Secrets stay empty.
    pub tokens: Option<Arc<dyn TokenSigner>>,
    /// How long a token that is kept in a Secret, and that an account lists, may go unused until it is no longer taken; and
    /// then, until it is deleted.
    pub legacy_token_clean_up_period: Duration,
    /// Signs the certificates of approved CertificateSigningRequests. None: they stay without.
    pub certificates: Option<Arc<dyn CertificateSigner>>,
    /// How long such certificates hold at most.
    pub certificate_duration: Duration,
    /// Pod addresses of all nodes together: `10.244.0.0/16`, or several with commas, of one family or of both; each node
    /// gets one part of each family. Empty: nodes get none.
    pub cluster_cidr: String,
    /// Length of the prefix each node gets.
    pub node_cidr_mask: u8,
    /// The same for IPv6.
    pub node_cidr_mask_ipv6: u8,
    /// How long a node may be silent before its conditions become `Unknown`.
    pub node_monitor_grace_period: Duration,
    /// How fast pods are driven out of nodes that fell silent.
    pub eviction_rates: EvictionRates,
    /// How many ended pods may stay before the oldest are collected; 0 for no limit.
    pub terminated_pod_threshold: usize,
    /// Where metrics are read; None: through the context's client. The custom and the external metrics API have paths
    /// that only a client over HTTP can ask for ([`RemoteClient`](windlass_core::client::remote::RemoteClient)).
    pub metrics: Option<Arc<dyn Client>>,
    /// Tells the garbage collector which kinds other servers serve behind the API server. None: it looks after none of
    /// those.
    pub discovery: Option<Arc<dyn Discovery>>,
    /// How many requests a controller of workloads works on at once.
    pub workers: usize,
}

/// How fast pods are driven out of nodes that fell silent, zone by zone: nodes a second. `0.0` is none at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvictionRates {
    /// In a zone of which most nodes work, or that is silent as a whole while others are not.
    pub node_eviction_rate: f64,
    /// In a large zone of which most nodes are silent. In a small one it is none.
    pub secondary_node_eviction_rate: f64,
    /// A zone with more nodes is large.
    pub large_cluster_size_threshold: usize,
    /// The share of silent nodes, of three at least, that is most of a zone.
    pub unhealthy_zone_threshold: f64,
}

/// Signs tokens of service accounts.
pub trait TokenSigner: Send + Sync {
    /// A JWT with these claims, signed so that the API server takes it.
    ///
    /// # Errors
    /// When the key can't be used.
    fn sign(&self, claims: &serde_json::Value) -> Result<String, BoxError>;
}

/// Signs certificates for those who ask with a CertificateSigningRequest.
pub trait CertificateSigner: Send + Sync {
    /// The certificate (PEM) for a request (PEM, PKCS #10), valid from one time to the other, for these usages by
    /// Kubernetes' names.
    ///
    /// # Errors
    /// When the request is not what it should be: asking again does not help.
    fn sign(
        &self,
        request: &str,
        usages: &[String],
        valid: (jiff::Timestamp, jiff::Timestamp),
    ) -> Result<String, BoxError>;
}

// === impl Context ===

impl Context {
    /// Reads and writes through `client`; caches and events stop with `shutdown`. Needs a tokio runtime.
    #[must_use]
    pub fn new(client: Arc<dyn Client>, env: Env, shutdown: Shutdown) -> Self {
        let recorder =
            Recorder::new(client.clone(), env.clone(), "controller-manager", "", shutdown.clone());
        let informers = InformerFactory::new(client.clone(), shutdown);
        Self { client, informers, recorder, env, settings: Arc::default() }
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = Arc::new(settings);
        self
    }
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            ca_pem: String::new(),
            tokens: None,
            legacy_token_clean_up_period: Duration::from_secs(365 * 24 * 3600),
            certificates: None,
            certificate_duration: Duration::from_secs(365 * 24 * 3600),
            cluster_cidr: "10.244.0.0/16".into(),
            node_cidr_mask: 24,
            node_cidr_mask_ipv6: 64,
            node_monitor_grace_period: Duration::from_secs(40),
            eviction_rates: EvictionRates::default(),
            terminated_pod_threshold: 12_500,
            metrics: None,
            discovery: None,
            workers: 5,
        }
    }
}

// === impl EvictionRates ===

impl Default for EvictionRates {
    fn default() -> Self {
        Self {
            node_eviction_rate: 0.1,
            secondary_node_eviction_rate: 0.01,
            large_cluster_size_threshold: 50,
            unhealthy_zone_threshold: 0.55,
        }
    }
}
