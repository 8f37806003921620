//! The backends as the contract sees them: told what to serve, asked who is reached.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use futures::FutureExt;
use windlass_proxy::backend::fake::FakeBackend;
use windlass_proxy::backend::nftables::NftablesBackend;
use windlass_proxy::backend::userspace::{UserspaceBackend, UserspaceConfig};
use windlass_proxy::backend::{Backend, Change};
use windlass_proxy::model::*;

use crate::lab::{Lab, NODE_IP, pod_ip};

/// Pods that serve; one more is a client.
pub(crate) const PODS: usize = 3;
/// So many tries find each of them: one of three is missed once in ten million times.
const TRIES: usize = 40;

/// A way to a Service.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    /// What stands for the cluster address, from a pod.
    Inside,
    /// The node port, from another machine.
    NodePort,
}

/// A backend under test.
pub(crate) trait Subject {
    /// Carries out a change.
    fn apply(&mut self, updated: Vec<ServicePort>, removed: Vec<PortKey>);

    /// Makes this the whole state.
    fn resync(&mut self, state: Vec<ServicePort>);

    /// The numbers of the pods that a client gets to.
    fn reached(&self, port: &ServicePort, door: Door) -> BTreeSet<usize>;

    /// Whether it leads packets anywhere.
    fn forwards(&self) -> bool {
        true
    }
}

/// A backend in the namespace of a node.
pub(crate) struct OnNode<B> {
    lab: Lab,
    backend: Option<B>,
    address: fn(&B, &ServicePort) -> Option<SocketAddr>,
    /// Where ports were served last: nobody may answer there when they are gone.
    known: HashMap<PortKey, SocketAddr>,
}

/// A backend that records.
pub(crate) struct Recording(FakeBackend);

pub(crate) fn nftables(test: &str) -> Option<OnNode<NftablesBackend>> {
    let lab = lab(&format!("{test}-nft"))?;
    let backend = lab.synced_backend();
    let cluster_address =
        |_: &NftablesBackend, port: &ServicePort| Some(SocketAddr::new(port.cluster_ip, port.port));
    Some(OnNode::new(lab, backend, cluster_address))
}

pub(crate) fn userspace(test: &str) -> Option<OnNode<UserspaceBackend>> {
    let lab = lab(&format!("{test}-user"))?;
    let config = UserspaceConfig {
        forwarder_address: NODE_IP.parse().unwrap(),
        node_port_addresses: vec!["0.0.0.0".parse().unwrap()],
        ..UserspaceConfig::default()
    };
    let backend = UserspaceBackend::new(config);
    let forwarder =
        |backend: &UserspaceBackend, port: &ServicePort| backend.forwarders().address_of(&port.key);
    Some(OnNode::new(lab, backend, forwarder))
}

pub(crate) fn fake(_test: &str) -> Option<Recording> {
    Some(Recording(FakeBackend::new()))
}

/// Pods that serve, and one more that asks.
fn lab(test: &str) -> Option<Lab> {
    let lab = Lab::new(test, PODS + 1)?;
    for number in 0..PODS {
        lab.pods[number].serve(&format!("{}:8080", pod_ip(number)));
    }
    Some(lab)
}

// === impl OnNode ===

impl<B: Backend + 'static> OnNode<B> {
    fn new(lab: Lab, backend: B, address: fn(&B, &ServicePort) -> Option<SocketAddr>) -> Self {
        Self { lab, backend: Some(backend), address, known: HashMap::new() }
    }

    fn tell(&mut self, change: Change, whole: bool) {
        let mut backend = self.backend.take().expect("it came back");
        let ports = change.updated.clone();
        let backend = self.lab.node.run(move || async move {
            match whole {
                true => backend.resync(&change).await.unwrap(),
                false => backend.apply(&change).await.unwrap(),
            }
            backend
        });
        for port in ports {
            if let Some(address) = (self.address)(&backend, &port) {
                self.known.insert(port.key.clone(), address);
            }
        }
        self.backend = Some(backend);
    }
}

impl<B: Backend + 'static> Subject for OnNode<B> {
    fn apply(&mut self, updated: Vec<ServicePort>, removed: Vec<PortKey>) {
        let change = Change { removed, ..state(updated) };
        self.tell(change, false);
    }

    fn resync(&mut self, all: Vec<ServicePort>) {
        self.tell(state(all), true);
    }

    fn reached(&self, port: &ServicePort, door: Door) -> BTreeSet<usize> {
        let (from, address) = match door {
            Door::Inside => (&self.lab.pods[PODS], self.known[&port.key]),
            Door::NodePort => {
                let number = port.node_port.expect("it has a node port");
                (&self.lab.outside, SocketAddr::new(NODE_IP.parse().unwrap(), number))
            }
        };
        let once = |_| match port.protocol() {
            Protocol::Udp => from.ask(address),
            _ => from.get(&address.to_string()).ok().map(|(server, _)| server),
        };
        let servers = (0..TRIES).map_while(once);
        servers.map(|server| server.trim_start_matches("pod").parse().unwrap()).collect()
    }
}

// === impl Recording ===

impl Subject for Recording {
    fn apply(&mut self, updated: Vec<ServicePort>, removed: Vec<PortKey>) {
        let change = Change { removed, ..state(updated) };
        self.0.apply(&change).now_or_never().expect("it waits for nothing").unwrap();
    }

    fn resync(&mut self, all: Vec<ServicePort>) {
        self.0.resync(&state(all)).now_or_never().expect("it waits for nothing").unwrap();
    }

    fn reached(&self, port: &ServicePort, door: Door) -> BTreeSet<usize> {
        let recorded = self.0.recorded();
        let recorded = recorded.borrow();
        let Some(found) = recorded.ports.get(&port.key) else { return BTreeSet::new() };
        let policy = match door {
            Door::Inside => found.internal_policy,
            Door::NodePort if found.node_port != port.node_port => return BTreeSet::new(),
            Door::NodePort => found.external_policy,
        };
        let endpoints = found.endpoints(policy).iter();
        let pod = |endpoint: &Endpoint| {
            (0..PODS).find(|pod| endpoint.address.ip().to_string() == pod_ip(*pod)).unwrap()
        };
        endpoints.map(pod).collect()
    }

    fn forwards(&self) -> bool {
        false
    }
}

fn state(ports: Vec<ServicePort>) -> Change {
    Change::to(ports.into_iter().map(Arc::new).collect())
}
