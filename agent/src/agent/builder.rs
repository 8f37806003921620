//! Makes agents.

use super::{Agent, PodCidrHook};
use crate::config::Config;
use crate::node_shutdown::NodeShutdown;
#[cfg(feature = "plugins")]
use crate::plugins::csi::Drivers;
#[cfg(feature = "plugins")]
use crate::plugins::devices::Devices;
use crate::runtime::Runtime;
use crate::server::ServerTls;
#[cfg(feature = "plugins")]
use crate::volumes::csi::Csi;
use std::sync::Arc;
use tokio::net::TcpListener;
use windlass_core::cache::InformerFactory;
use windlass_core::client::Client;
use windlass_core::clock::Env;
use windlass_core::component::BoxError;

/// What an agent is made from: a client, informers and a runtime at least.
#[derive(Default)]
pub struct AgentBuilder {
    config: Config,
    client: Option<Arc<dyn Client>>,
    informers: Option<InformerFactory>,
    env: Option<Env>,
    runtime: Option<Arc<dyn Runtime>>,
    listener: Option<(TcpListener, Option<ServerTls>)>,
    pod_cidr: Option<PodCidrHook>,
    node_shutdown: NodeShutdown,
}

/// Something an agent can't do without was not given.
#[derive(Debug, thiserror::Error)]
#[error("an agent needs a {0}")]
pub struct BuildError(&'static str);

impl AgentBuilder {
    /// The settings; [`Config::default`] without.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How it writes to the API. Needed.
    #[must_use]
    pub fn client(mut self, client: Arc<dyn Client>) -> Self {
        self.client = Some(client);
        self
    }

    /// How it reads from the API. Needed.
    #[must_use]
    pub fn informers(mut self, informers: InformerFactory) -> Self {
        self.informers = Some(informers);
        self
    }

    /// Time and chance; the machine's without.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = Some(env);
        self
    }

    /// What runs containers. Needed.
    #[must_use]
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Serves logs, exec, attach and port-forward on `listener`, to clients that `tls` lets in. Without `tls` to
    /// anyone who can reach the listener: for tests only.
    #[must_use]
    pub fn serve(mut self, listener: TcpListener, tls: Option<ServerTls>) -> Self {
        self.listener = Some((listener, tls));
        self
    }

    /// Called with the node's range of pod addresses before the first pod starts: the cluster's, or else
    /// [`Config::pod_cidr`]. Not called when there is neither.
    #[must_use]
    pub fn on_pod_cidr(
        mut self,
        hook: impl FnOnce(String) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Self {
        self.pod_cidr = Some(Box::new(hook));
        self
    }

    /// How the agent is told that the machine goes down.
    #[must_use]
    pub fn node_shutdown(mut self, handle: NodeShutdown) -> Self {
        self.node_shutdown = handle;
        self
    }

    /// The agent.
    ///
    /// # Errors
    /// When client, informers or runtime are missing, or a folder is given by a relative path and there is no
    /// working directory.
    pub fn build(mut self) -> Result<Agent, BuildError> {
        let config = &mut self.config;
        // What is mounted is known by its absolute path, and containers have working directories of their own.
        for folder in std::iter::once(&mut config.root_dir)
            .chain(&mut config.pod_logs_dir)
            .chain(&mut config.static_pod_path)
        {
            *folder = std::path::absolute(&*folder)
                .map_err(|_| BuildError("working directory, or absolute paths"))?;
        }
        let client = self.client.ok_or(BuildError("client"))?;
        #[cfg(feature = "plugins")]
        let drivers = Arc::new(Drivers::new(client.clone(), &self.config.node_name));
        Ok(Agent {
            #[cfg(feature = "plugins")]
            csi: Arc::new(Csi::new(&self.config, drivers)),
            #[cfg(feature = "plugins")]
            devices: Devices::open(&self.config.root_dir)
                .map_err(|_| BuildError("readable list of the devices that containers have"))?,
            config: Arc::new(self.config),
            client,
            informers: self.informers.ok_or(BuildError("factory of informers"))?,
            env: self.env.unwrap_or_else(Env::system),
            runtime: self.runtime.ok_or(BuildError("runtime"))?,
            listener: self.listener,
            pod_cidr: self.pod_cidr,
            node_shutdown: self.node_shutdown,
        })
    }
}
