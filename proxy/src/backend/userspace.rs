//! Forwards connections in this process: no root, no kernel rules.
//!
//! A cluster address cannot be bound without root, so each Service port gets a *forwarder* on an
//! address of this machine instead: an embedder asks [`Forwarders`] for it. Node ports are bound
//! as such. TCP and UDP; SCTP ports are passed over with a warning.

mod balancer;
mod listeners;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHashSet};

use self::balancer::Balancer;
use self::listeners::Listener;
use super::{Backend, BackendError, Change};
use crate::model::{PortKey, Protocol, ServicePort, TrafficPolicy};

/// What a [`UserspaceBackend`] may bind.
#[derive(Clone, Debug)]
pub struct UserspaceConfig {
    /// The address of the forwarders, of a free port each.
    pub forwarder_address: IpAddr,
    /// The addresses on which node ports are bound; empty for none.
    pub node_port_addresses: Vec<IpAddr>,
    /// Connections (TCP) or clients (UDP) that one listener serves at a time; more are turned away.
    pub max_connections: usize,
}

/// Where the Service ports can be reached; cheap to clone, always up to date.
#[derive(Clone, Debug, Default)]
pub struct Forwarders {
    addresses: Arc<RwLock<FxHashMap<PortKey, SocketAddr>>>,
}

/// Forwards with the runtime of the task that drives it. Dropping it ends all forwarding.
#[derive(Debug)]
pub struct UserspaceBackend {
    config: UserspaceConfig,
    forwarders: Forwarders,
    served: FxHashMap<PortKey, Served>,
}

/// One Service port while it is served.
#[derive(Debug)]
struct Served {
    port: Arc<ServicePort>,
    internal: Arc<Balancer>,
    external: Arc<Balancer>,
    forwarder: Listener,
    node_ports: Vec<Listener>,
}

// === impl UserspaceConfig ===

impl Default for UserspaceConfig {
    /// Forwarders on loopback, no node ports.
    fn default() -> Self {
        Self {
            forwarder_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            node_port_addresses: Vec::new(),
            max_connections: 1024,
        }
    }
}

// === impl Forwarders ===

impl Forwarders {
    /// The address that stands for a Service port's cluster address; `None` while it is not served.
    pub fn address_of(&self, key: &PortKey) -> Option<SocketAddr> {
        self.addresses.read().get(key).copied()
    }

    /// All forwarders.
    pub fn all(&self) -> Vec<(PortKey, SocketAddr)> {
        self.addresses.read().iter().map(|(key, address)| (key.clone(), *address)).collect()
    }
}

// === impl UserspaceBackend ===

impl UserspaceBackend {
    /// A backend that serves nothing yet.
    pub fn new(config: UserspaceConfig) -> Self {
        Self { config, forwarders: Forwarders::default(), served: FxHashMap::default() }
    }

    /// Where Service ports can be reached.
    pub fn forwarders(&self) -> Forwarders {
        self.forwarders.clone()
    }

    fn remove(&mut self, key: &PortKey) {
        self.served.remove(key);
        self.forwarders.addresses.write().remove(key);
    }

    /// Updates all; a port that cannot be served does not keep others from it. The first error is the result.
    async fn update_all(&mut self, ports: &[Arc<ServicePort>]) -> Result<(), BackendError> {
        let mut result = Ok(());
        for port in ports {
            result = result.and(self.update(port).await);
        }
        result
    }

    async fn update(&mut self, port: &Arc<ServicePort>) -> Result<(), BackendError> {
        if port.protocol() == Protocol::Sctp {
            tracing::warn!(port = %port.key.name, "SCTP needs the nftables backend");
            return Ok(());
        }
        if self.served.get(&port.key).is_some_and(|served| served.port.node_port != port.node_port)
        {
            self.remove(&port.key);
        }
        if let Some(served) = self.served.get_mut(&port.key) {
            served.update(port);
            return Ok(());
        }
        let served = Served::start(port, &self.config).await?;
        self.forwarders.addresses.write().insert(port.key.clone(), served.forwarder.address());
        self.served.insert(port.key.clone(), served);
        Ok(())
    }
}

#[async_trait]
impl Backend for UserspaceBackend {
    fn name(&self) -> &'static str {
        "userspace"
    }

    async fn apply(&mut self, change: &Change) -> Result<(), BackendError> {
        change.removed.iter().for_each(|key| self.remove(key));
        self.update_all(&change.updated).await
    }

    async fn resync(&mut self, state: &Change) -> Result<(), BackendError> {
        let wanted: FxHashSet<&PortKey> = state.updated.iter().map(|port| &port.key).collect();
        let gone: Vec<PortKey> =
            self.served.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        gone.iter().for_each(|key| self.remove(key));
        self.update_all(&state.updated).await
    }
}

// === impl Served ===

impl Served {
    async fn start(
        port: &Arc<ServicePort>,
        config: &UserspaceConfig,
    ) -> Result<Self, BackendError> {
        let (internal, external) = (Arc::new(Balancer::default()), Arc::new(Balancer::default()));
        let start = |address: SocketAddr, balancer: &Arc<Balancer>| {
            Listener::start(port.protocol(), address, balancer.clone(), config.max_connections)
        };
        let forwarder = start(SocketAddr::new(config.forwarder_address, 0), &internal).await?;
        let mut node_ports = Vec::new();
        if let Some(number) = port.node_port {
            for ip in &config.node_port_addresses {
                node_ports.push(start(SocketAddr::new(*ip, number), &external).await?);
            }
        }
        let mut served = Self { port: port.clone(), internal, external, forwarder, node_ports };
        served.update(port);
        Ok(served)
    }

    fn update(&mut self, port: &Arc<ServicePort>) {
        let endpoints = |policy: TrafficPolicy| {
            port.endpoints(policy).iter().map(|endpoint| endpoint.address).collect()
        };
        self.internal.update(endpoints(port.internal_policy), port.affinity);
        self.external.update(endpoints(port.external_policy), port.affinity);
        tracing::debug!(port = %port.key.name, forwarder = %self.forwarder.address(), node_ports = self.node_ports.len(), "forwarding");
        self.port = port.clone();
    }
}
