//! The proxy as a component: informers in, backend out.

mod driver;
mod latency;
mod policies;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;
use windlass_core::Object;
use windlass_core::cache::{Change, Informer, InformerFactory};
use windlass_core::clock::Env;
use windlass_core::component::{BoxError, Component, Ready, Shutdown};
use windlass_core::scheme::{ENDPOINTSLICES, SERVICES};

use self::driver::Driver;
use self::latency::Latency;
use crate::backend::{self, Backend};
use crate::config::{ChangeTracker, name_of};
use crate::health::{Health, Server, http};
use crate::metrics::Metrics;
use crate::model::{EndpointSliceView, NodeView, ServiceView};
use crate::policy::PolicyTracker;
use crate::topology::NodeIdentity;

const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// Keeps a backend in step with Services and EndpointSlices.
pub struct Proxy {
    options: ProxyBuilder,
}

/// Settings of a [`Proxy`].
pub struct ProxyBuilder {
    node_name: String,
    factory: InformerFactory,
    backend: Box<dyn Backend>,
    min_sync_interval: Duration,
    health_address: Option<SocketAddr>,
    network_policies: bool,
    registry: Registry,
    env: Env,
}

/// What informers fill and the driver empties.
pub(crate) struct Shared {
    pub(crate) trackers: Mutex<Trackers>,
    changed: Notify,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    env: Env,
}

/// Services and policies; both go into one change.
pub(crate) struct Trackers {
    pub(crate) services: ChangeTracker,
    pub(crate) policies: PolicyTracker,
    latency: Latency,
    /// Policies are handed out only when all pods and namespaces are known.
    enforcing: bool,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy for the node of this name, with informers from `factory` and rules through `backend`.
    pub fn builder(
        node_name: impl Into<String>,
        factory: InformerFactory,
        backend: impl Backend + 'static,
    ) -> ProxyBuilder {
        ProxyBuilder {
            node_name: node_name.into(),
            factory,
            backend: Box::new(backend),
            min_sync_interval: Duration::from_millis(20),
            health_address: None,
            network_policies: true,
            registry: Registry::default(),
            env: Env::system(),
        }
    }
}

#[async_trait]
impl Component for Proxy {
    fn name(&self) -> &str {
        "proxy"
    }

    async fn run(self: Box<Self>, ready: Ready, shutdown: Shutdown) -> Result<(), BoxError> {
        let ProxyBuilder {
            node_name,
            factory,
            backend,
            min_sync_interval,
            health_address,
            network_policies,
            mut registry,
            env,
        } = self.options;
        let metrics = Metrics::new(&mut registry);
        let shared = Arc::new(Shared::new(&node_name, metrics, env.clone()));
        let mut tasks = tokio::task::JoinSet::new();
        if let Some(address) = health_address {
            let listener = http::bind(address).await?;
            let answers = Server { shared: shared.clone(), registry, env };
            tasks.spawn(http::serve(Arc::new(answers), listener));
        }
        let synced = shared.follow(&factory, &node_name);
        let policies = network_policies.then(|| {
            let known = Ready::default();
            tasks.spawn(policies::follow(shared.clone(), factory.clone(), known.clone()));
            known
        });
        let all_synced = async {
            for informer in &synced {
                informer.wait().await;
            }
        };
        if shutdown.run_until_cancelled(all_synced).await.is_none() {
            return Ok(());
        }
        if let Some(known) = policies
            && shutdown.run_until_cancelled(policies::wait(&known)).await.is_none()
        {
            return Ok(());
        }
        Driver::new(shared, backend, min_sync_interval).run(&ready, &shutdown).await;
        Ok(())
    }
}

// === impl ProxyBuilder ===

impl ProxyBuilder {
    /// How long a sync waits after the one before; what changes meanwhile goes together. A change
    /// in quiet times is carried out at once. The default is 20 ms.
    #[must_use]
    pub fn min_sync_interval(mut self, interval: Duration) -> Self {
        self.min_sync_interval = interval;
        self
    }

    /// Serves `/healthz`, `/livez` and `/metrics` there. Without it nothing is served.
    #[must_use]
    pub fn health_address(mut self, address: SocketAddr) -> Self {
        self.health_address = Some(address);
        self
    }

    /// Whether NetworkPolicies are enforced, by a backend that can. The default is to do so; that takes rights to
    /// list and watch `networkpolicies`, and `pods` and `namespaces` once there is a policy.
    #[must_use]
    pub fn network_policies(mut self, enforce: bool) -> Self {
        self.network_policies = enforce;
        self
    }

    /// Shows these metrics beside its own.
    #[must_use]
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Takes time from there instead of the system.
    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The component.
    #[must_use]
    pub fn build(self) -> Proxy {
        Proxy { options: self }
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(node_name: &str, metrics: Metrics, env: Env) -> Self {
        let node = NodeIdentity { name: node_name.to_owned(), zone: None };
        Self {
            trackers: Mutex::new(Trackers::new(node, env.clock.now())),
            changed: Notify::new(),
            metrics,
            health: Health::default(),
            env,
        }
    }

    /// Subscribes to what the proxy needs; the result says when all of it has been seen once.
    fn follow(self: &Arc<Self>, factory: &InformerFactory, node_name: &str) -> [Ready; 3] {
        let services: Arc<Informer<ServiceView>> = factory.informer(SERVICES);
        let shared = self.clone();
        services.on_change(move |change| shared.service(change));
        let slices: Arc<Informer<EndpointSliceView>> = factory.informer(ENDPOINTSLICES);
        let shared = self.clone();
        slices.on_change(move |change| shared.slice(change));
        let nodes = NodeView::informer(factory, node_name);
        let shared = self.clone();
        nodes.on_change(move |change| shared.node(change));
        [services.synced(), slices.synced(), nodes.synced()]
    }

    fn service(&self, change: &Change<ServiceView>) {
        self.track(|tracker| {
            self.metrics.service_changed();
            match change {
                Change::Deleted(entry) => tracker.service_deleted(&name_of(&entry.object)),
                Change::Added(entry) | Change::Updated { new: entry, .. } => {
                    tracker.service_applied(entry.clone());
                }
            }
        });
    }

    fn slice(&self, change: &Change<EndpointSliceView>) {
        self.update(|trackers| {
            self.metrics.endpoints_changed();
            match change {
                Change::Deleted(entry) => {
                    trackers.latency.deleted(&name_of(&entry.object));
                    trackers.services.slice_deleted(&name_of(&entry.object));
                }
                Change::Added(entry) | Change::Updated { new: entry, .. } => {
                    trackers.latency.applied(entry);
                    trackers.services.slice_applied(entry.clone());
                }
            }
        });
    }

    fn node(&self, change: &Change<NodeView>) {
        let (zone, leaves) = match change {
            Change::Deleted(_) => (None, true),
            Change::Added(entry) | Change::Updated { new: entry, .. } => {
                (zone(&entry.object), entry.object.header().deleting || entry.view.is_drained())
            }
        };
        self.health.node_leaves(leaves);
        self.track(|tracker| tracker.zone_changed(zone));
    }

    fn track(&self, update: impl FnOnce(&mut ChangeTracker)) {
        self.update(|trackers| update(&mut trackers.services));
    }

    fn update(&self, update: impl FnOnce(&mut Trackers)) {
        let mut trackers = self.trackers.lock();
        update(&mut trackers);
        if trackers.has_changes() {
            let now = self.env.clock.now();
            self.metrics.queued(now);
            self.health.queued(now);
            self.changed.notify_one();
        }
    }
}

// === impl Trackers ===

impl Trackers {
    fn new(node: NodeIdentity, now: Timestamp) -> Self {
        let policies = PolicyTracker::new(node.name.clone());
        let (services, latency) = (ChangeTracker::new(node), Latency::new(now));
        Self { services, policies, latency, enforcing: false }
    }

    fn has_changes(&self) -> bool {
        self.services.has_changes() || (self.enforcing && self.policies.has_changes())
    }

    fn take(&mut self) -> backend::Change {
        let mut change = self.services.take();
        if self.enforcing {
            change.policies = self.policies.take();
        }
        change
    }

    /// All that was handed out, as a change from nothing.
    fn snapshot(&self) -> backend::Change {
        let policies = self.policies.snapshot();
        backend::Change { policies, ..backend::Change::to(self.services.snapshot()) }
    }
}

fn zone(node: &Object) -> Option<String> {
    let (_, zone) = node.header().labels.iter().find(|(key, _)| &**key == ZONE_LABEL)?;
    Some(zone.to_string())
}
