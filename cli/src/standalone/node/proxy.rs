//! The service proxy.

use crate::standalone::{Error, ProxyMode, ProxyOptions};
use prometheus_client::registry::Registry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;
use windlass_core::cache::InformerFactory;
use windlass_core::clock::Env;
use windlass_core::component::Component;
use windlass_proxy::Proxy;
use windlass_proxy::backend::health_checks::HealthChecks;
use windlass_proxy::backend::nftables::{NftablesBackend, Settings};
use windlass_proxy::backend::userspace::{UserspaceBackend, UserspaceConfig};
use windlass_proxy::model::{Network, NodePortAddresses};

/// So long the Node may take to show its addresses.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a proxy is to do.
#[derive(Clone, Copy, Debug)]
pub struct ProxyDuties<'a> {
    /// How Services get to pods.
    pub mode: ProxyMode,
    /// What does not depend on where it runs.
    pub options: &'a ProxyOptions,
    /// Addresses of all pods, a network of each family with a comma between them.
    pub pods: &'a str,
    /// The address of the cluster's names, which no Service may take as an external one.
    pub dns: Option<IpAddr>,
}

/// A proxy for the node of this name; none when there is to be none. It shows the metrics of `registry` too.
///
/// # Errors
/// When the kernel has no nftables, the process may not change them, or the Node has no address for a while that node
/// ports are to answer on.
pub async fn proxy(
    duties: ProxyDuties<'_>,
    node: &str,
    informers: InformerFactory,
    env: Env,
    health: SocketAddr,
    registry: Registry,
) -> Result<Option<Box<dyn Component>>, Error> {
    let ProxyDuties { mode, options, pods, dns } = duties;
    let network_policies = !options.no_network_policy;
    let node_ports = node_port_networks(&options.nodeport_addresses, &informers, node);
    let builder = match mode {
        ProxyMode::None => return Ok(None),
        ProxyMode::Nftables => {
            let settings = Settings {
                pod_networks: Network::list(pods)
                    .map_err(|error| Error::part("pod-cidr", error))?,
                network_policies,
                node_port_addresses: node_ports.await?,
                reserved: dns.into_iter().collect(),
                ..Settings::default()
            };
            let backend = NftablesBackend::open(&settings).map_err(|error| {
                Error::part("proxy", format!("{error}. Without nftables use --proxy userspace"))
            })?;
            let backend = HealthChecks::new(
                backend,
                vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            );
            Proxy::builder(node, informers, backend).network_policies(network_policies)
        }
        ProxyMode::Userspace => {
            let config = UserspaceConfig::default().node_ports_in(&node_ports.await?);
            let config = config.map_err(|error| Error::part("proxy", error))?;
            // It only sees what goes through Services.
            Proxy::builder(node, informers, UserspaceBackend::new(config)).network_policies(false)
        }
    };
    Ok(Some(Box::new(builder.env(env).registry(registry).health_address(health).build())))
}

/// The networks of node ports, once the Node has the addresses that are asked for.
async fn node_port_networks(
    addresses: &NodePortAddresses,
    informers: &InformerFactory,
    node: &str,
) -> Result<Vec<Network>, Error> {
    let networks = timeout(PATIENCE, addresses.networks(informers, node)).await;
    let missing = |_| format!("the Node {node} shows no address, or can't be read");
    networks.map_err(|late| Error::part("nodeport-addresses", missing(late)))
}
