//! The service proxy.

use crate::standalone::{Error, ProxyMode};
use prometheus_client::registry::Registry;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use windlass_core::cache::InformerFactory;
use windlass_core::clock::Env;
use windlass_core::component::Component;
use windlass_proxy::Proxy;
use windlass_proxy::backend::health_checks::HealthChecks;
use windlass_proxy::backend::nftables::{NftablesBackend, Settings};
use windlass_proxy::backend::userspace::{UserspaceBackend, UserspaceConfig};

/// What a proxy is to do.
#[derive(Clone, Copy, Debug)]
pub struct ProxyDuties<'a> {
    /// How Services get to pods.
    pub mode: ProxyMode,
    /// Whether NetworkPolicies are enforced, where the mode can.
    pub network_policies: bool,
    /// Addresses of all pods.
    pub pods: &'a str,
}

/// A proxy for the node of this name; none when there is to be none. It shows the metrics of `registry` too.
///
/// # Errors
/// When the kernel has no nftables, or the process may not change them.
pub fn proxy(
    duties: ProxyDuties<'_>,
    node: &str,
    informers: InformerFactory,
    env: Env,
    health: SocketAddr,
    registry: Registry,
) -> Result<Option<Box<dyn Component>>, Error> {
    let ProxyDuties { mode, network_policies, pods } = duties;
    let builder = match mode {
        ProxyMode::None => return Ok(None),
        ProxyMode::Nftables => {
            let network = pods.parse().map_err(|error| Error::part("pod-cidr", error))?;
            let settings =
                Settings { pod_networks: vec![network], network_policies, ..Settings::default() };
            let backend = NftablesBackend::open(&settings).map_err(|error| {
                Error::part("proxy", format!("{error}. Without nftables use --proxy userspace"))
            })?;
            let backend = HealthChecks::new(backend, Ipv4Addr::UNSPECIFIED.into());
            Proxy::builder(node, informers, backend).network_policies(network_policies)
        }
        ProxyMode::Userspace => {
            let any = vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
            let config = UserspaceConfig { node_port_addresses: any, ..UserspaceConfig::default() };
            // It only sees what goes through Services.
            Proxy::builder(node, informers, UserspaceBackend::new(config)).network_policies(false)
        }
    };
    Ok(Some(Box::new(builder.env(env).registry(registry).health_address(health).build())))
}
