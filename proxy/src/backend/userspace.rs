//! Forwards connections in this process: no root, no kernel rules.
//!
//! A cluster address cannot be bound without root, so each Service port gets a *forwarder* on an
//! address of this machine instead: an embedder asks [`Forwarders`] for it. Node ports are bound
//! as such; one that somebody else has is reported and tried again. TCP and UDP; SCTP ports are passed over with a warning.

mod balancer;
mod listeners;
mod splice;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;
use rustc_hash::{FxHashMap, FxHashSet};

use self::balancer::Balancer;
use self::listeners::Listener;
use super::sockets::{self, Retry};
use super::{Backend, BackendError, Change};
use crate::model::{Family, Network, PortKey, Protocol, ServicePort, TrafficPolicy};

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
    retry: Retry,
}

/// One Service port while it is served.
#[derive(Debug)]
struct Served {
    port: Arc<ServicePort>,
    internal: Arc<Balancer>,
    external: Arc<Balancer>,
    forwarder: Listener,
    node_ports: Vec<Listener>,
    /// Node ports that somebody else has.
    missing: Vec<SocketAddr>,
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

impl UserspaceConfig {
    /// Binds node ports on the node's addresses within these networks; in a family without any, on all addresses.
    ///
    /// # Errors
    /// When the node's addresses can't be read.
    pub fn node_ports_in(self, networks: &[Network]) -> std::io::Result<Self> {
        let own = sockets::own_addresses()?;
        let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let addresses = any.into_iter().flat_map(|any| {
            let of_family = |network: &&Network| Family::of(network.address) == Family::of(any);
            let limits: Vec<_> = networks.iter().filter(of_family).collect();
            let within = |ip: &&IpAddr| limits.iter().any(|network| network.contains(**ip));
            match limits.is_empty() {
                true => vec![any],
                false => own.iter().filter(within).copied().collect(),
            }
        });
        Ok(Self { node_port_addresses: addresses.collect(), ..self })
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
        Self {
            config,
            forwarders: Forwarders::default(),
            served: FxHashMap::default(),
            retry: Retry::default(),
        }
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
    fn update_all(&mut self, ports: &[Arc<ServicePort>]) -> Result<(), BackendError> {
        let mut result = Ok(());
        for port in ports {
            result = result.and(self.update(port));
        }
        self.retry.note(self.served.values().any(|served| !served.missing.is_empty()));
        result
    }

    fn update(&mut self, port: &Arc<ServicePort>) -> Result<(), BackendError> {
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
        let served = Served::start(port, &self.config)?;
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
        self.update_all(&change.updated)
    }

    async fn resync(&mut self, state: &Change) -> Result<(), BackendError> {
        let wanted: FxHashSet<&PortKey> = state.updated.iter().map(|port| &port.key).collect();
        let gone: Vec<PortKey> =
            self.served.keys().filter(|key| !wanted.contains(key)).cloned().collect();
        gone.iter().for_each(|key| self.remove(key));
        self.update_all(&state.updated)
    }

    /// Nobody takes a socket away; meanwhile what could not be bound is tried again.
    async fn lost(&mut self) {
        loop {
            self.retry.due().await;
            for served in self.served.values_mut() {
                served.bind_missing(self.config.max_connections, false);
            }
            self.retry.note(self.served.values().any(|served| !served.missing.is_empty()));
        }
    }
}

// === impl Served ===

impl Served {
    fn start(port: &Arc<ServicePort>, config: &UserspaceConfig) -> Result<Self, BackendError> {
        let (internal, external) = (Arc::new(Balancer::default()), Arc::new(Balancer::default()));
        let address = SocketAddr::new(config.forwarder_address, 0);
        let max = config.max_connections;
        let forwarder = Listener::start(port.protocol(), address, internal.clone(), max)?;
        let of_family =
            config.node_port_addresses.iter().filter(|ip| Family::of(**ip) == port.key.family);
        let addresses = |number| of_family.map(move |ip| SocketAddr::new(*ip, number)).collect();
        let missing = port.node_port.map(addresses).unwrap_or_default();
        let (port, node_ports) = (port.clone(), Vec::new());
        let mut served = Self { port, internal, external, forwarder, node_ports, missing };
        served.bind_missing(max, true);
        served.update(&served.port.clone());
        Ok(served)
    }

    /// Tries to bind the node ports that are not; `first` says it aloud when one can't be.
    fn bind_missing(&mut self, max_connections: usize, first: bool) {
        for address in std::mem::take(&mut self.missing) {
            let protocol = self.port.protocol();
            match Listener::start(protocol, address, self.external.clone(), max_connections) {
                Ok(listener) => self.node_ports.push(listener),
                Err(error) => {
                    if first {
                        tracing::warn!(port = %self.port.key.name, %error, "node port not served; it is tried again");
                    }
                    self.missing.push(address);
                }
            }
        }
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
