//! The agent as a whole: puts the parts together and runs them.

mod builder;

pub use builder::{AgentBuilder, BuildError};

use crate::config::Config;
use crate::eviction::{Manager, Verdicts};
use crate::image_gc::ImageGc;
use crate::node_shutdown::NodeShutdown;
use crate::node_status::{NodeStatus, renew_leases};
#[cfg(feature = "plugins")]
use crate::plugins::devices::{DeviceServer, Devices};
#[cfg(feature = "plugins")]
use crate::plugins::registry::PluginRegistry;
use crate::pod_workers::cache::RuntimeCache;
use crate::pod_workers::{Bells, Host, PodWorkers};
use crate::prober::Prober;
use crate::references::References;
use crate::runtime::Runtime;
use crate::server::{Server, ServerTls};
use crate::static_pods::{Mirrors, StaticPods};
use crate::volumes::VolumeManager;
#[cfg(feature = "plugins")]
use crate::volumes::csi::Csi;
use async_trait::async_trait;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use windlass_core::apis::core::v1::Node;
use windlass_core::cache::{HeaderOnly, InformerFactory};
use windlass_core::client::{Client, ClientExt, Key, ListOptions, Scope, WatchEvent};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::events::Recorder;
use windlass_core::scheme::{NODES, PODS, SERVICES};

/// So many images are fetched at once.
const PULLS: usize = 3;
/// How long the start waits for the list of services.
const SERVICES_WAIT: Duration = Duration::from_secs(10);
/// How long the start waits for the runtime before it asks again.
const RUNTIME_RETRY: Duration = Duration::from_secs(1);

/// Told which addresses the node's pods have, once, before the first pod starts.
pub type PodCidrHook = Box<dyn FnOnce(String) -> Result<(), BoxError> + Send + Sync>;

/// The node agent. [`Agent::builder`] makes one; it is a [`Component`].
///
/// When it stops, containers go on running; the next agent over the same runtime and folder finds them again.
pub struct Agent {
    config: Arc<Config>,
    client: Arc<dyn Client>,
    informers: InformerFactory,
    env: Env,
    runtime: Arc<dyn Runtime>,
    listener: Option<(TcpListener, Option<ServerTls>)>,
    pod_cidr: Option<PodCidrHook>,
    node_shutdown: NodeShutdown,
    #[cfg(feature = "plugins")]
    csi: Arc<Csi>,
    #[cfg(feature = "plugins")]
    devices: Arc<Devices>,
}

// === impl Agent ===

impl Agent {
    /// Begins to make an agent.
    #[must_use]
    pub fn builder() -> AgentBuilder {
        AgentBuilder::default()
    }

    async fn start(mut self, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        let mut tasks = JoinSet::new();
        let verdicts = Arc::new(Verdicts::default());
        let (config, clock) = (self.config.clone(), self.env.clock.clone());
        let mut defender = Manager::new(config, clock, self.runtime.clone(), verdicts.clone());
        // Before anything is told of the node.
        defender.look().await;
        let status = self.node_status(verdicts.clone());
        let node = status.register().await;
        let uid = node.metadata.uid.clone().unwrap_or_default();
        let node_uid = uid.clone();
        tasks.spawn(renew_leases(
            self.config.clone(),
            self.client.clone(),
            self.env.clone(),
            uid,
            shutdown.clone(),
        ));
        tasks.spawn(status.keep(node.clone(), shutdown.clone()));
        if let Some(hook) = self.pod_cidr.take()
            && let Some(cidr) = self.cidr(&node).await
        {
            hook(cidr)?;
        }
        // Simulated nodes have no plugins.
        #[cfg(feature = "plugins")]
        if self.config.mount_filesystems {
            let plugins = PluginRegistry::new(&self.config.root_dir, self.csi.drivers.clone());
            tasks.spawn(plugins.run(shutdown.clone()));
            tasks.spawn(DeviceServer(self.devices.clone()).run(shutdown.clone()));
        }
        let selector = format!("spec.nodeName={}", self.config.node_name);
        let pods = self.informers.filtered::<HeaderOnly>(PODS, &selector);
        let host = Arc::new(self.host(verdicts, &shutdown).await);
        tasks.spawn(defender.run(host.clone(), shutdown.clone()));
        tasks.spawn(host.image_gc.clone().run(host.clone(), shutdown.clone()));
        tasks.spawn(self.node_shutdown.clone().serve(host.clone(), shutdown.clone()));
        tasks.spawn(follow(host.clone(), shutdown.clone()));
        let folder = self.config.static_pod_path.clone();
        let (name, clock) = (&self.config.node_name, self.env.clock.clone());
        let fixed = Arc::new(StaticPods::new(folder, name, clock));
        if let Some((listener, tls)) = self.listener.take() {
            let server = Server::new(host.clone(), pods.clone(), fixed.clone(), tls);
            tasks.spawn(server.run(listener, shutdown.clone()));
        }
        let mirrors = Mirrors { client: self.client.clone(), node: name.clone(), node_uid };
        tasks.spawn(PodWorkers::new(host, pods, fixed, mirrors).run(shutdown.clone()));
        ready.set();
        // Until shutdown all parts run; without one of them the node would look well and do nothing.
        while let Some(ended) = tasks.join_next().await {
            ended?;
        }
        shutdown.cancelled().await;
        Ok(())
    }

    fn node_status(&self, verdicts: Arc<Verdicts>) -> NodeStatus {
        NodeStatus {
            config: self.config.clone(),
            client: self.client.clone(),
            env: self.env.clone(),
            runtime: self.runtime.clone(),
            verdicts,
            #[cfg(feature = "plugins")]
            csi: self.csi.clone(),
            #[cfg(feature = "plugins")]
            devices: self.devices.clone(),
        }
    }

    /// The node's range of pod addresses: what the cluster gives it, or else the configured one.
    async fn cidr(&self, node: &Node) -> Option<String> {
        let given =
            |node: &Node| node.spec.as_ref()?.pod_cidr.clone().filter(|cidr| !cidr.is_empty());
        if let Some(cidr) = given(node) {
            return Some(cidr);
        }
        let waited = tokio::time::timeout(self.config.pod_cidr_wait, self.watch_cidr(&given)).await;
        match waited {
            Ok(Ok(cidr)) => Some(cidr),
            Ok(Err(error)) => {
                tracing::warn!(%error, "can't watch the Node for its pod addresses");
                self.config.pod_cidr.clone()
            }
            Err(_) => self.config.pod_cidr.clone(),
        }
    }

    async fn watch_cidr(
        &self,
        given: &(dyn Fn(&Node) -> Option<String> + Sync),
    ) -> windlass_core::Result<String> {
        use futures::StreamExt;
        let key = Key::cluster(NODES, &self.config.node_name);
        let object = self.client.get(&key).await?;
        if let Some(cidr) = given(&object.view::<Node>()?) {
            return Ok(cidr);
        }
        let options = ListOptions {
            field_selector: format!("metadata.name={}", self.config.node_name),
            resource_version: object.resource_version().to_string(),
            ..ListOptions::default()
        };
        let mut changes = self.client.watch(&Scope::all(NODES), &options).await?;
        while let Some(batch) = changes.next().await {
            for event in batch? {
                if let WatchEvent::Added(object) | WatchEvent::Modified(object) = event
                    && let Some(cidr) = given(&object.view::<Node>()?)
                {
                    return Ok(cidr);
                }
            }
        }
        // The watch ended: what the Node says now decides.
        let node = self.client.get_as::<Node>(&key).await?;
        given(&node).or_else(|| self.config.pod_cidr.clone()).ok_or_else(|| {
            windlass_core::Error::Transport("the node was given no pod addresses".into())
        })
    }

    async fn host(&self, verdicts: Arc<Verdicts>, shutdown: &Shutdown) -> Host {
        let bells = Bells::default();
        let (probe_bells, object_bells) = (bells.clone(), bells.clone());
        let (config, client, env) = (self.config.clone(), self.client.clone(), self.env.clone());
        let recorder = Recorder::new(
            client.clone(),
            env.clone(),
            "kubelet",
            &config.node_name,
            shutdown.clone(),
        );
        let references = Arc::new(References::new(
            client.clone(),
            Arc::new(move |uid: &str| object_bells.ring_references(uid)),
            shutdown.clone(),
        ));
        let volumes = VolumeManager::new(
            config.clone(),
            client.clone(),
            env.clone(),
            references.clone(),
            self.runtime.clone(),
            #[cfg(feature = "plugins")]
            self.csi.clone(),
        );
        if let Err(error) = volumes.remount_images().await {
            tracing::warn!(%error, "the images of volumes can't be found");
        }
        let prober = Prober::start(
            self.runtime.clone(),
            env.clone(),
            recorder.clone(),
            Arc::new(move |uid: &str| probe_bells.ring(uid)),
            shutdown.clone(),
        );
        let cache = Arc::new(RuntimeCache::new(self.runtime.clone(), bells.clone()));
        first_look(&cache, shutdown).await;
        let services = self.informers.informer(SERVICES);
        if tokio::time::timeout(SERVICES_WAIT, services.synced().wait()).await.is_err() {
            tracing::warn!(
                "the list of services is not there yet; pods start without its variables"
            );
        }
        let version = self.runtime.version();
        let runtime_name = version.split("://").next().unwrap_or_default().to_owned();
        Host {
            config,
            client,
            env,
            runtime: self.runtime.clone(),
            runtime_name,
            recorder,
            references,
            volumes: Arc::new(volumes),
            image_gc: Arc::new(ImageGc::new(self.config.image_gc.clone())),
            #[cfg(feature = "plugins")]
            devices: self.devices.clone(),
            prober,
            cache,
            services,
            bells,
            ledger: Mutex::default(),
            pods: Mutex::default(),
            pods_changed: Notify::new(),
            verdicts,
            pulls: Semaphore::new(PULLS),
        }
    }
}

async fn follow(host: Arc<Host>, shutdown: Shutdown) {
    host.cache.follow(shutdown).await;
}

/// Nothing is decided before it is known what runs already.
async fn first_look(cache: &RuntimeCache, shutdown: &Shutdown) {
    while let Err(error) = cache.refresh().await {
        tracing::warn!(%error, "can't look at the container runtime, will retry");
        let wait = tokio::time::sleep(RUNTIME_RETRY);
        if shutdown.run_until_cancelled(wait).await.is_none() {
            return;
        }
    }
}

#[async_trait]
impl Component for Agent {
    fn name(&self) -> &str {
        "agent"
    }

    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        let stop = shutdown.clone();
        let mut work = std::pin::pin!(self.start(ready, shutdown));
        tokio::select! {
            result = &mut work => result,
            // Registration may wait for a server that is away; it must not keep the process from ending.
            () = async { stop.cancelled().await; tokio::time::sleep(Duration::from_secs(5)).await } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
