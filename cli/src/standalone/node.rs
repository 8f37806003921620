//! The node of an all-in-one cluster: an agent with a runtime and a network, and a proxy.

pub mod agent;
mod dns;
mod network;
mod proxy;
mod runtime;

pub use dns::dns;
pub use proxy::{ProxyDuties, proxy};
pub use runtime::images;

use super::control_plane::ControlPlane;
use super::parts::Parts;
use super::{Error, Farewell, NodeOptions, Options};
use agent::Place;
use prometheus_client::registry::Registry;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use windlass_controllers::{Context, local_path};
use windlass_core::cache::InformerFactory;
use windlass_core::component::{Component, Shutdown};

/// Where the proxy answers to probes.
const PROXY_HEALTH: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 31080);

/// Whether a node can run here at all; asked before anything is started.
pub(super) fn check(options: &Options) -> Result<(), Error> {
    match (&options.node, &options.data_dir) {
        (Some(_), _) if !rustix::process::geteuid().is_root() => Err(Error::NotRoot),
        (Some(_), None) => Err(Error::part("node", "a node needs a data directory")),
        _ => Ok(()),
    }
}

/// This machine's address as others see it: the one it listens on, or else the one its packets leave with.
pub(super) fn address(listen: Option<SocketAddr>) -> IpAddr {
    let listening =
        listen.map(|listen| listen.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback());
    // Connecting a UDP socket sends nothing: it asks the routing table.
    let routed = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    };
    listening.or_else(routed).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Starts agent and proxy; what is to be done before they stop.
pub(super) async fn start(
    options: &Options,
    node: &NodeOptions,
    control_plane: &mut ControlPlane,
    parts: &mut Parts,
) -> Result<Option<Farewell>, Error> {
    let informers =
        InformerFactory::new(control_plane.client.clone(), parts.shutdown().child_token());
    let name = node.name.clone().map_or_else(host_name, Ok)?;
    let data_dir =
        options.data_dir.as_deref().ok_or_else(|| Error::part("node", "no data directory"))?;
    let address = control_plane.advertise;
    let issue = control_plane.identity.agent(&name, address);
    let own = control_plane.renewal.shown("agent", options.env.clock.now(), issue)?;
    let (agent, farewell) = agent::build(Place {
        data_dir,
        runtime: &node.runtime,
        max_pods: node.max_pods,
        kubelet: &node.kubelet,
        name: &name,
        address,
        port: node.agent_port,
        port_option: "--agent-port",
        pod_cidr: &options.pod_cidr,
        service_cidr: &options.service_cidr,
        cluster_dns: control_plane.dns,
        cluster_domain: &options.cluster_domain,
        own: &own,
        authority: control_plane.identity.authority.certificate(),
        client: control_plane.client.clone(),
        informers: informers.clone(),
        env: options.env.clone(),
    })
    .await?;
    let shutdown = parts.shutdown().child_token();
    let volumes = volumes(options, &name, control_plane, shutdown, data_dir).await?;
    parts.start_all("agent", vec![Box::new(agent), volumes]).await?;
    let env = options.env.clone();
    let mut registry = Registry::default();
    let (address, domain) = (control_plane.dns, &options.cluster_domain);
    let stubs = &node.services.stub_domains;
    let dns = dns(address, domain, stubs, informers.clone(), env.clone(), &mut registry)?;
    if let Some(dns) = dns {
        parts.start_all("dns", vec![dns]).await?;
    }
    let duties = ProxyDuties {
        mode: node.proxy,
        options: &node.services,
        pods: &options.pod_cidr,
        dns: address,
    };
    let proxy = proxy(duties, &name, informers, env, PROXY_HEALTH, registry).await?;
    if let Some(proxy) = proxy {
        parts.start_all("proxy", vec![proxy]).await?;
    }
    Ok(farewell)
}

/// The provisioner of volumes that are folders of this node, and the class that asks for them.
async fn volumes(
    options: &Options,
    node: &str,
    control_plane: &mut ControlPlane,
    shutdown: Shutdown,
    data_dir: &Path,
) -> Result<Box<dyn Component>, Error> {
    let client = control_plane.client.clone();
    let made = local_path::default_class(&*client).await;
    made.map_err(|error| Error::part("volumes", error))?;
    let context = Context::new(client, options.env.clone(), shutdown);
    Ok(local_path::component(&context, node, data_dir.join("volumes")))
}

fn host_name() -> Result<String, Error> {
    let name = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(valid) {
        let reason =
            format!("the host's name {name:?} is no name for a node: choose one with --node-name");
        return Err(Error::part("node", reason));
    }
    Ok(name)
}
