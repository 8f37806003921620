//! The store that gets the load.

use crate::session::Session;
use clap::Args;
use etcd_client::{Client, ConnectOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use windlass_benches::{Process, Result};
use windlass_store::{Backend, Durability, Embedded, EmbeddedOptions, Memory};

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which store.
#[derive(Args)]
#[group(required = true)]
pub(crate) struct Which {
    /// A server that speaks etcd's protocol: ADDRESS:PORT
    #[arg(long, group = "which")]
    endpoint: Option<String>,
    /// A store of this process, in memory
    #[arg(long, group = "which")]
    memory: bool,
    /// A store of this process in a directory, without syncing
    #[arg(long, group = "which")]
    buffered: Option<PathBuf>,
    /// A store of this process in a directory, with syncing
    #[arg(long, group = "which")]
    fsync: Option<PathBuf>,
    /// The server's process: its CPU time and memory are told
    #[arg(long, requires = "endpoint")]
    server: Option<u32>,
    /// Connections that the clients share
    #[arg(long, default_value_t = 8)]
    connections: usize,
}

/// A store that was opened, or can be reached.
pub(crate) enum Target {
    Server(Vec<Client>),
    Here(Arc<dyn Backend>),
}

// === impl Which ===

impl Which {
    pub(crate) async fn open(&self) -> Result<Target> {
        if let Some(endpoint) = &self.endpoint {
            return self.connect(endpoint).await;
        }
        let store: Arc<dyn Backend> = match (&self.buffered, &self.fsync) {
            (Some(dir), _) => Arc::new(embedded(dir, Durability::Buffered)?),
            (_, Some(dir)) => Arc::new(embedded(dir, Durability::Fsync)?),
            _ => Arc::new(Memory::new()),
        };
        Ok(Target::Here(store))
    }

    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.max(1)
    }

    async fn connect(&self, endpoint: &str) -> Result<Target> {
        let options = ConnectOptions::new().with_timeout(PATIENCE);
        let mut clients = Vec::new();
        for _ in 0..self.connections() {
            clients.push(Client::connect([endpoint], Some(options.clone())).await?);
        }
        Ok(Target::Server(clients))
    }

    /// The process that does the store's work: the server, or this one.
    pub(crate) fn process(&self) -> Process {
        self.server.map_or_else(Process::this, Process::of)
    }
}

fn embedded(dir: &Path, durability: Durability) -> Result<Embedded> {
    Ok(Embedded::open(EmbeddedOptions { durability, ..EmbeddedOptions::new(dir) })?)
}

// === impl Target ===

impl Target {
    /// The client with this number.
    pub(crate) fn session(&self, number: usize) -> Session {
        match self {
            Self::Server(clients) => Session::server(&clients[number % clients.len()]),
            Self::Here(store) => Session::Here(store.clone()),
        }
    }
}
