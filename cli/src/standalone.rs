//! The all-in-one: store → API server → local client → one shared informer factory → components, in the
//! order in which they get ready.
//!
//! ```
//! use windlass::standalone::{Cluster, Options};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let cluster = Cluster::start(Options::in_memory()).await?;
//! let client = cluster.client();
//! # drop(client);
//! cluster.stop().await;
//! # Ok::<(), windlass::standalone::Error>(())
//! # }).unwrap();
//! ```

mod access;
mod cluster;
mod control_plane;
mod dns;
mod identity;
mod kubelet;
mod node;
mod options;
mod parts;
mod renewal;
mod store;

pub use access::{Access, Decider, ServiceAccountKeys};
pub use cluster::Cluster;
pub use dns::ClusterDns;
#[cfg(feature = "cli")]
pub(crate) use identity::make_private_dir;
pub use kubelet::{Farewell, KubeletOptions};
pub use node::{ProxyDuties, agent as node_agent, dns, images, proxy};
pub use options::{
    Encryption, NodeOptions, Options, Progress, ProxyMode, ProxyOptions, RuntimeKind,
    RuntimeOptions,
};

use std::path::PathBuf;

/// Where a cluster keeps its data when nobody says otherwise.
pub const DATA_DIR: &str = "/var/lib/windlass";

/// Why a cluster can't start. Each says in one line what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder can't be used.
    #[error("data directory {}: {source}. Choose another with --data-dir", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store can't be opened.
    #[error("{0}")]
    Store(#[from] windlass_store::Error),
    /// The keys that seal the store can't be read.
    #[error("encryption keys {}: {source}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: windlass_store::KeyRingError,
    },
    /// Certificates can't be read or made.
    #[error("{0}")]
    Pki(#[from] windlass_api::pki::Error),
    /// The address is taken, or not this machine's.
    #[error("can't listen on {address}: {source}. Choose another with {option}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The option that names it.
        option: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The node needs rights that this process has not.
    #[error(
        "running containers needs root: run as root, or with --no-node for a control plane without a node"
    )]
    NotRoot,
    /// A part could not be set up.
    #[error("{part}: {reason}")]
    Part {
        /// Its name.
        part: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    fn part(part: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Part { part, reason: reason.to_string() }
    }
}
