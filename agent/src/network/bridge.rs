//! The built-in network: an address of the node's pod CIDR for each pod, over a pair of veth interfaces.
//!
//! In spite of its name there is no learning bridge. Each pod has a point-to-point link to the node: its
//! address is a /32, its only neighbour is the link-local gateway 169.254.1.1, whose hardware address is
//! fixed, and the node has a route to each pod. With a bridge two pods of one node would talk on
//! layer 2, past the node's IP stack: then the reply of a pod behind a service address goes straight to
//! the client, which doesn't know its address. Here all packets of pods are routed, so the service proxy's
//! NAT sees both directions, and source addresses need not be hidden.
//!
//! ```text
//! pod:  eth0  10.244.1.7/32   default via 169.254.1.1    (ee:ee:ee:ee:ee:ee, permanent)
//! node: wl…   no address      10.244.1.7 dev wl…
//! ```
//! Addresses are kept in a file, so that a restart gives nobody an address that is in use.

mod addresses;
mod cidr;
pub(crate) mod links;

pub use cidr::Cidr;

use super::nat::{self, HostPort, Plan};
use super::{Attachment, Network};
use crate::runtime::{Error, Result};
use addresses::{Addresses, Lease};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the built-in network stands on.
#[derive(Clone, Debug)]
pub struct BridgeOptions {
    /// Where addresses in use are kept.
    pub state_dir: PathBuf,
    /// Addresses for the pods of this node.
    pub pod_cidr: Cidr,
    /// Networks that pods reach with their own address: all pods' and all services'. What goes elsewhere
    /// gets the node's.
    pub cluster_cidrs: Vec<Cidr>,
    /// Largest packet; 1500 when `None`.
    pub mtu: Option<u32>,
}

/// The built-in network. Cheap to clone. It works in the network namespace of the thread that uses it.
#[derive(Clone)]
pub struct BridgeNetwork {
    inner: Arc<Inner>,
}

struct Inner {
    options: BridgeOptions,
    addresses: Mutex<Addresses>,
}

// === impl BridgeNetwork ===

impl BridgeNetwork {
    /// Reads which addresses are in use, switches forwarding on, and writes the NAT rules.
    ///
    /// # Errors
    /// When the state can't be read, or the process may not change the network.
    pub fn open(options: BridgeOptions) -> Result<Self> {
        let addresses = Addresses::open(&options.state_dir, options.pod_cidr)?;
        enable("net/ipv4/ip_forward")?;
        let inner = Arc::new(Inner { options, addresses: Mutex::new(addresses) });
        inner.apply(&inner.addresses.lock())?;
        Ok(Self { inner })
    }

    /// Takes the NAT rules away: for a clean-up that is meant to leave nothing behind.
    ///
    /// # Errors
    /// When the process may not change the network.
    pub fn remove_rules(&self) -> Result<()> {
        nat::remove().map_err(|e| failed("remove NAT rules", e))
    }
}

impl Inner {
    fn lease(&self, pod: &Attachment) -> Result<Lease> {
        let ports = pod.ports.iter().map(port).collect::<Result<Vec<_>>>()?;
        let mut addresses = self.addresses.lock();
        let lease = addresses.take(&pod.sandbox.0, ports)?;
        if !lease.ports.is_empty() {
            self.apply(&addresses)?;
        }
        Ok(lease)
    }

    fn give_back(&self, pod: &Attachment) -> Result<()> {
        let mut addresses = self.addresses.lock();
        match addresses.give_back(&pod.sandbox.0)? {
            Some(lease) if !lease.ports.is_empty() => self.apply(&addresses),
            _ => Ok(()),
        }
    }

    fn apply(&self, addresses: &Addresses) -> Result<()> {
        let mut cluster = self.options.cluster_cidrs.clone();
        cluster.push(self.options.pod_cidr);
        let plan = Plan { pods: self.options.pod_cidr, cluster, ports: addresses.ports() };
        nat::apply(&plan).map_err(|e| failed("write NAT rules", e))
    }

    fn connect(&self, pod: &Attachment, lease: &Lease) -> io::Result<()> {
        let name = links::name(&pod.sandbox.0);
        let link = links::Link {
            name: &name,
            address: lease.address,
            mtu: self.options.mtu.unwrap_or(1500),
        };
        links::connect(&pod.netns, &link)?;
        if lease.ports.is_empty() {
            return Ok(());
        }
        // Lets connections to a host port of 127.0.0.1 out to the pod.
        enable(&format!("net/ipv4/conf/{name}/route_localnet")).map_err(io::Error::other)
    }
}

#[async_trait]
impl Network for BridgeNetwork {
    async fn attach(&self, pod: &Attachment) -> Result<Vec<IpAddr>> {
        let (inner, pod) = (self.inner.clone(), pod.clone());
        blocking(move || {
            let made = inner.lease(&pod).and_then(|lease| {
                let connected = inner.connect(&pod, &lease);
                connected.map(|()| lease.address).map_err(|e| failed("connect the pod", e))
            });
            if made.is_err() {
                links::disconnect(&links::name(&pod.sandbox.0)).map_err(|e| failed("undo", e))?;
                inner.give_back(&pod)?;
            }
            made.map(|address| vec![IpAddr::V4(address)])
        })
        .await
    }

    async fn detach(&self, pod: &Attachment) -> Result<()> {
        let (inner, pod) = (self.inner.clone(), pod.clone());
        blocking(move || {
            let gone = links::disconnect(&links::name(&pod.sandbox.0));
            gone.map_err(|e| failed("disconnect the pod", e))?;
            inner.give_back(&pod)
        })
        .await
    }
}

/// A port as it is kept; the pod's address is filled in with the lease.
fn port(mapping: &crate::runtime::PortMapping) -> Result<HostPort> {
    let protocol = nat::protocol(&mapping.protocol)
        .ok_or_else(|| Error::Invalid(format!("unknown protocol \"{}\"", mapping.protocol)))?;
    let host_ip = match mapping.host_ip {
        Some(IpAddr::V4(ip)) if !ip.is_unspecified() => Some(ip),
        _ => None,
    };
    Ok(HostPort {
        host_ip,
        host_port: mapping.host_port,
        protocol,
        pod: Ipv4Addr::UNSPECIFIED,
        pod_port: mapping.container_port,
    })
}

fn enable(name: &str) -> Result<()> {
    let path = Path::new("/proc/sys").join(name);
    let set = || -> io::Result<()> {
        if std::fs::read_to_string(&path)?.trim() == "1" {
            return Ok(());
        }
        std::fs::write(&path, "1")
    };
    set().map_err(|e| failed(&path.display().to_string(), e))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::Failed(format!("a task failed: {e}")))?
}

fn failed(context: &str, source: io::Error) -> Error {
    Error::Io { context: context.to_string(), source }
}
