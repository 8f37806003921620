//! What can be chosen.

use super::{Access, ClusterDns, DATA_DIR, KubeletOptions};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use windlass_api::admission::Plugins;
use windlass_api::audit::Audit;
use windlass_api::server::{Limits, ServeOptions};
use windlass_core::clock::Env;
use windlass_proxy::model::NodePortAddresses;
use windlass_store::Backend;

/// Told of each part that is ready, with the time since the start.
pub type Progress = Arc<dyn Fn(&str, Duration) + Send + Sync>;

/// What a cluster is made of.
#[derive(Clone)]
pub struct Options {
    /// Where it keeps its data; `None`: in memory, and gone with it.
    pub data_dir: Option<PathBuf>,
    /// Where it keeps objects, instead of in `data_dir` or in memory: any [`Backend`], which takes care of its own leases.
    pub store: Option<Arc<dyn Backend>>,
    /// How the values of the store in `data_dir` are sealed. One in memory is not; with another `store` it is an error.
    pub encryption: Encryption,
    /// Where the API server listens, with TLS; `None`: nowhere, there are only clients in this process.
    pub listen: Option<SocketAddr>,
    /// Where pods and other machines reach it; found out when `None`.
    pub advertise: Option<IpAddr>,
    /// Addresses of Services.
    pub service_cidr: String,
    /// Addresses of pods, of both families with a comma between them; each node gets a part.
    pub pod_cidr: String,
    /// Where the cluster's DNS answers, on each node.
    pub cluster_dns: ClusterDns,
    /// The domain of the cluster's names.
    pub cluster_domain: String,
    /// How long events live after their last write; for ever when it is zero.
    pub event_ttl: Duration,
    /// Runs the controllers.
    pub controllers: bool,
    /// Runs the scheduler.
    pub scheduler: bool,
    /// Runs pods in this machine; needs root and a data directory.
    pub node: Option<NodeOptions>,
    /// What clients may take up of the API server.
    pub limits: Limits,
    /// How the API server serves where it listens. It always does with TLS of its own.
    pub serve: ServeOptions,
    /// What the API server fills in and refuses beside what users may do.
    pub admission: Plugins,
    /// Who is let in, and who decides.
    pub access: Access,
    /// Where the API server records who did what; `None`: nowhere.
    pub audit: Option<Arc<Audit>>,
    /// Time and chance.
    pub env: Env,
    /// Told of each part that is ready.
    pub progress: Progress,
}

/// Encryption of the store at rest.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Encryption {
    /// Keys that seal the store, one to a line, NAME:BASE64 of 32 bytes. The first seals, all open
    #[cfg_attr(feature = "cli", arg(long = "encryption-keys", value_name = "FILE"))]
    pub keys: Option<PathBuf>,
    /// Takes values that are not sealed yet, and seals them: once, when encryption is turned on
    #[cfg_attr(feature = "cli", arg(long = "encryption-read-plain", requires = "keys"))]
    pub read_plain: bool,
    /// Without keys of one's own: one that is made at the first start, in the data directory. A store that is there
    /// already is sealed with it.
    #[cfg_attr(feature = "cli", arg(skip))]
    pub own_key: bool,
}

/// The node of an all-in-one cluster.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Its name; the host's name when `None`.
    pub name: Option<String>,
    /// Where its agent listens.
    pub agent_port: u16,
    /// How Services get to pods.
    pub proxy: ProxyMode,
    /// How its service proxy and name server are set.
    pub services: ProxyOptions,
    /// What runs its containers.
    pub runtime: RuntimeOptions,
    /// Most pods that it takes.
    pub max_pods: usize,
    /// How its agent treats it.
    pub kubelet: KubeletOptions,
}

/// What runs containers, and where that is.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct RuntimeOptions {
    /// What runs containers
    #[cfg_attr(feature = "cli", arg(long = "runtime", value_enum, default_value_t, global = true))]
    pub kind: RuntimeKind,
    /// containerd's socket [default: /run/containerd/containerd.sock]
    #[cfg(feature = "containerd")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "SOCKET", global = true))]
    pub containerd_address: Option<PathBuf>,
    /// What keeps image layers for containerd [default: overlayfs]
    #[cfg(feature = "containerd")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME", global = true))]
    pub containerd_snapshotter: Option<String>,
    /// Folder that tells of registries and their mirrors, as containerd's: DIR/REGISTRY/hosts.toml
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIR", global = true))]
    pub registry_config: Option<PathBuf>,
}

/// What runs containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum RuntimeKind {
    /// The agent itself, without a daemon.
    #[default]
    Oci,
    /// A containerd on this machine.
    #[cfg(feature = "containerd")]
    Containerd,
}

/// How Services get to pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ProxyMode {
    /// Through rules of the kernel.
    #[default]
    Nftables,
    /// Through this process.
    Userspace,
    /// Not at all: something else does it.
    None,
}

/// What of a node's service proxy and name server is chosen the same way wherever they run.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct ProxyOptions {
    /// Leaves NetworkPolicies to somebody else, or to nobody
    #[cfg_attr(feature = "cli", arg(long))]
    pub no_network_policy: bool,
    /// Networks in whose addresses node ports answer, with commas between them, or `primary` for the addresses that
    /// the Node shows; all addresses without it
    #[cfg_attr(
        feature = "cli",
        arg(long, default_value = "", hide_default_value = true, value_name = "CIDR,…|primary")
    )]
    pub nodeport_addresses: NodePortAddresses,
    /// A domain with name servers of its own; may be given more than once
    #[cfg_attr(feature = "cli", arg(long = "stub-domain", value_name = "DOMAIN=ADDR,…"))]
    pub stub_domains: Vec<String>,
}

impl Options {
    /// A control plane in memory, without sockets and nodes: for tests and embedders.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            data_dir: None,
            store: None,
            encryption: Encryption::default(),
            listen: None,
            advertise: None,
            service_cidr: "10.96.0.0/16".into(),
            pod_cidr: "10.244.0.0/16".into(),
            cluster_dns: ClusterDns::None,
            cluster_domain: "cluster.local".into(),
            event_ttl: Duration::from_secs(3600),
            controllers: true,
            scheduler: true,
            node: None,
            limits: Limits::default(),
            serve: ServeOptions::default(),
            admission: Plugins::default(),
            access: Access::default(),
            audit: None,
            env: Env::system(),
            progress: Arc::new(|_, _| {}),
        }
    }

    /// A whole cluster on this machine, as `windlass up` starts it.
    #[must_use]
    pub fn on_this_machine() -> Self {
        Self {
            data_dir: Some(DATA_DIR.into()),
            listen: Some(SocketAddr::from(([0, 0, 0, 0], 6443))),
            node: Some(NodeOptions::default()),
            cluster_dns: ClusterDns::Usual,
            encryption: Encryption { own_key: true, ..Encryption::default() },
            ..Self::in_memory()
        }
    }
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            name: None,
            agent_port: 10250,
            proxy: ProxyMode::default(),
            services: ProxyOptions::default(),
            runtime: RuntimeOptions::default(),
            max_pods: windlass_agent::Config::default().max_pods,
            kubelet: KubeletOptions::default(),
        }
    }
}
