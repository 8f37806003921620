//! The interface between the agent and what runs containers, after the CRI.
//!
//! A runtime is six small traits: [`Sandboxes`], [`Containers`], [`Limits`], [`Streams`], [`Stats`] and
//! [`crate::images::Images`]. All calls are idempotent where the contract says so, and may be made from
//! many tasks at once. What runs survives the agent: a new runtime value over the same state
//! folder finds it again through `list`.

#[cfg(feature = "containerd")]
pub mod containerd;
pub mod fake;
pub(crate) mod linux;
pub mod oci;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod types;

pub use types::*;

use async_trait::async_trait;
use futures::stream::BoxStream;

/// Pod sandboxes: the namespaces, cgroup and network that the containers of one pod share.
#[async_trait]
pub trait Sandboxes: Send + Sync {
    /// Makes and starts a sandbox, with its network. On an error nothing is left behind.
    async fn run_sandbox(&self, config: SandboxConfig) -> Result<SandboxStatus>;
    /// Stops its containers and gives its network back. Does nothing to one stopped or unknown.
    async fn stop_sandbox(&self, id: &SandboxId) -> Result<()>;
    /// Removes a sandbox and its containers, stopping them first. Does nothing when it is unknown.
    async fn remove_sandbox(&self, id: &SandboxId) -> Result<()>;
    /// All sandboxes, running or not, also those of an earlier life of the agent.
    async fn list_sandboxes(&self) -> Result<Vec<SandboxStatus>>;
}

/// Containers inside sandboxes.
#[async_trait]
pub trait Containers: Send + Sync {
    /// Makes a container that is not yet started.
    async fn create_container(
        &self,
        sandbox: &SandboxId,
        config: ContainerConfig,
    ) -> Result<ContainerId>;
    /// Starts it. An error when the program can't be executed: the container is then `Exited` with code 128.
    async fn start_container(&self, id: &ContainerId) -> Result<()>;
    /// Sends `signal` (SIGTERM by default), waits `grace`, kills. Returns when it has exited. Does nothing to one not running.
    async fn stop_container(&self, id: &ContainerId, grace: std::time::Duration) -> Result<()>;
    /// Removes a container (killing it first) and what it wrote, but not its log.
    async fn remove_container(&self, id: &ContainerId) -> Result<()>;
    /// All containers of all sandboxes, also those of an earlier life of the agent.
    async fn list_containers(&self) -> Result<Vec<ContainerStatus>>;
}

/// Other limits for what runs.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Gives a sandbox other limits. Those that are `None` stay as they are.
    async fn update_sandbox(&self, id: &SandboxId, resources: Resources) -> Result<()>;
    /// Gives a container that runs other limits, which `list` shows from then on. Those that are `None` stay.
    async fn update_container(&self, id: &ContainerId, resources: Resources) -> Result<()>;
}

/// What happens in containers, and entering them.
#[async_trait]
pub trait Streams: Send + Sync {
    /// Changes of containers, without polling. Events may be merged; after [`Event::Lost`] list again.
    fn events(&self) -> BoxStream<'static, Event>;
    /// Runs a further program in a running container.
    async fn exec(&self, id: &ContainerId, request: ExecRequest) -> Result<Session>;
    /// Joins the streams of the running main program.
    async fn attach(&self, id: &ContainerId, request: AttachRequest) -> Result<Session>;
    /// Connects to a TCP port on the loopback address inside the sandbox's network.
    async fn port_forward(&self, id: &SandboxId, port: u16) -> Result<Box<dyn Duplex>>;
}

/// What pods use.
#[async_trait]
pub trait Stats: Send + Sync {
    /// What each sandbox that is ready uses now. One whose containers have all ended may be left out.
    async fn usage(&self) -> Result<Vec<SandboxUsage>>;
}

/// A whole runtime.
pub trait Runtime:
    Sandboxes + Containers + Limits + Streams + Stats + crate::images::Images
{
    /// Name and version, as Node status shows it: `oci://0.1.0`.
    fn version(&self) -> String;
}
