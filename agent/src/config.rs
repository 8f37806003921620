//! What an agent must know about its node and cluster.

use crate::eviction::Eviction;
use crate::image_gc::ImageGcPolicy;
use crate::node_shutdown::PriorityGrace;
use crate::runtime::LogLimits;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// Settings of an agent. `Default` is a node named `localhost` on the loopback address.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's name.
    pub node_name: String,
    /// The node's address, as Node status and hostIP show it.
    pub node_ip: IpAddr,
    /// Where the agent keeps volumes and other state of pods.
    pub root_dir: PathBuf,
    /// A folder of static pods, one in each file. `None`: there are none.
    pub static_pod_path: Option<PathBuf>,
    /// Where containers' logs go: `<ns>_<name>_<uid>/<container>/<n>.log`. `None`: `logs` in `root_dir`.
    pub pod_logs_dir: Option<PathBuf>,
    /// How much of each container's log is kept.
    pub log_limits: LogLimits,
    /// More pods than this are rejected.
    pub max_pods: usize,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// The cluster's DNS server. Without one pods get the node's resolver.
    pub cluster_dns: Option<IpAddr>,
    /// The node's resolver configuration.
    pub resolv_conf: PathBuf,
    /// The port that Node status names for logs and exec.
    pub port: u16,
    /// Addresses for pods when the cluster gives the node none.
    pub pod_cidr: Option<String>,
    /// How long to wait for the cluster to give the node its addresses.
    pub pod_cidr_wait: Duration,
    /// Labels for the Node beside the usual ones.
    pub node_labels: BTreeMap<String, String>,
    /// What the node can carry.
    pub machine: Machine,
    /// Mounts file systems in memory for secrets and tokens, and binds sub-paths. Off only in simulations and
    /// tests, where nothing is mounted and the files lie in plain folders.
    pub mount_filesystems: bool,
    /// When pods go because the node runs short of something.
    pub eviction: Eviction,
    /// When images go that nothing uses.
    pub image_gc: ImageGcPolicy,
    /// How long pods may take to end when the machine goes down, by their priority. None at all: they are not ended.
    pub shutdown_grace: Vec<PriorityGrace>,
    /// How often Node status is written when nothing changes.
    pub status_period: Duration,
    /// How often the Lease is renewed.
    pub lease_period: Duration,
}

/// A machine as Node status shows it. [`Machine::read`] looks at this one; a simulation makes its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Thousandths of a core.
    pub milli_cpu: i64,
    /// Bytes of memory.
    pub memory: i64,
    /// Bytes of disk for pods.
    pub ephemeral_storage: i64,
    /// As `/etc/machine-id`.
    pub machine_id: String,
    /// As the firmware says.
    pub system_uuid: String,
    /// Changes with each boot.
    pub boot_id: String,
    /// The kernel's release.
    pub kernel_version: String,
    /// The distribution's name.
    pub os_image: String,
    /// In Go's words: `amd64`, `arm64`.
    pub architecture: String,
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            node_name: "localhost".into(),
            node_ip: Ipv4Addr::LOCALHOST.into(),
            root_dir: "/var/lib/windlass/agent".into(),
            static_pod_path: None,
            pod_logs_dir: None,
            log_limits: LogLimits::default(),
            max_pods: 110,
            cluster_domain: "cluster.local".into(),
            cluster_dns: None,
            resolv_conf: "/etc/resolv.conf".into(),
            port: 10250,
            pod_cidr: None,
            pod_cidr_wait: Duration::from_secs(10),
            node_labels: BTreeMap::new(),
            machine: Machine::default(),
            mount_filesystems: true,
            eviction: Eviction::default(),
            image_gc: ImageGcPolicy::default(),
            shutdown_grace: Vec::new(),
            status_period: Duration::from_secs(300),
            lease_period: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// The folder of all that belongs to one pod.
    pub(crate) fn pod_dir(&self, uid: &str) -> PathBuf {
        self.root_dir.join("pods").join(uid)
    }

    /// The folder of containers' logs.
    pub(crate) fn logs_dir(&self) -> PathBuf {
        self.pod_logs_dir.clone().unwrap_or_else(|| self.root_dir.join("logs"))
    }

    /// The folder of one pod's logs.
    pub(crate) fn pod_logs_dir(&self, namespace: &str, name: &str, uid: &str) -> PathBuf {
        self.logs_dir().join(format!("{namespace}_{name}_{uid}"))
    }
}

// === impl Machine ===

impl Default for Machine {
    fn default() -> Self {
        Self {
            milli_cpu: 2000,
            memory: 4 << 30,
            ephemeral_storage: 64 << 30,
            machine_id: String::new(),
            system_uuid: String::new(),
            boot_id: String::new(),
            kernel_version: String::new(),
            os_image: String::new(),
            architecture: go_architecture().into(),
        }
    }
}

/// This machine's architecture in Go's words.
pub(crate) fn go_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
