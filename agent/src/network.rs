//! The network of pods.

pub mod bridge;
pub mod cni;
mod nat;

use crate::runtime::{Error, PortMapping, Result, SandboxId};
use async_trait::async_trait;
use std::net::IpAddr;
use std::path::PathBuf;

/// Connects sandboxes.
#[async_trait]
pub trait Network: Send + Sync {
    /// Connects a sandbox and gives its addresses, the first one being the pod's main one.
    /// On an error nothing is left behind.
    async fn attach(&self, sandbox: &Attachment) -> Result<Vec<IpAddr>>;
    /// Takes back what [`Network::attach`] gave. Does nothing for a sandbox it doesn't know; the
    /// network namespace may be gone.
    async fn detach(&self, sandbox: &Attachment) -> Result<()>;
}

/// A sandbox to connect.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Its id.
    pub sandbox: SandboxId,
    /// File of its network namespace.
    pub netns: PathBuf,
    /// The pod's name.
    pub name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's uid.
    pub uid: String,
    /// Ports of the node that lead into it.
    pub ports: Vec<PortMapping>,
}

/// No network: sandboxes have a loopback interface, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNetwork;

#[async_trait]
impl Network for NoNetwork {
    async fn attach(&self, sandbox: &Attachment) -> Result<Vec<IpAddr>> {
        let netns = sandbox.netns.clone();
        let up = tokio::task::spawn_blocking(move || bridge::links::loopback_up(&netns)).await;
        let up = up.map_err(|e| Error::Failed(format!("a task failed: {e}")))?;
        up.map_err(|source| Error::Io { context: "loopback interface".into(), source })?;
        Ok(Vec::new())
    }

    async fn detach(&self, _: &Attachment) -> Result<()> {
        Ok(())
    }
}
