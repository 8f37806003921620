//! The service proxy.

use crate::standalone::{Error, ProxyMode};
use prometheus_client::registry::Registry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use windlass_core::cache::InformerFactory;
use windlass_core::clock::Env;
use windlass_core::component::Component;
use windlass_proxy::Proxy;
use windlass_proxy::backend::health_checks::HealthChecks;
use windlass_proxy::backend::nftables::{NftablesBackend, Settings};
use windlass_proxy::backend::userspace::{UserspaceBackend, UserspaceConfig};
use windlass_proxy::model::Network;

/// What a proxy is to do.
#[derive(Clone, Copy, Debug)]
pub struct ProxyDuties<'a> {
    /// How Services get to pods.
    pub mode: ProxyMode,
    /// Whether NetworkPolicies are enforced, where the mode can.
    pub network_policies: bool,
    /// Addresses of all pods, a network of each family with a comma between them.
    pub pods: &'a str,
    /// Networks in whose addresses node ports answer, with commas between them; empty for all addresses.
    pub node_ports: &'a str,
    /// The address of the cluster's names, which no Service may take as an external one.
    pub dns: Option<IpAddr>,
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
    let ProxyDuties { mode, network_policies, pods, node_ports, dns } = duties;
    let node_ports = networks("nodeport-addresses", node_ports)?;
    let builder = match mode {
        ProxyMode::None => return Ok(None),
        ProxyMode::Nftables => {
            let settings = Settings {
                pod_networks: networks("pod-cidr", pods)?,
                network_policies,
                node_port_addresses: node_ports,
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
            let config = UserspaceConfig::default().node_ports_in(&node_ports);
            let config = config.map_err(|error| Error::part("proxy", error))?;
            // It only sees what goes through Services.
            Proxy::builder(node, informers, UserspaceBackend::new(config)).network_policies(false)
        }
    };
    Ok(Some(Box::new(builder.env(env).registry(registry).health_address(health).build())))
}

fn networks(option: &'static str, list: &str) -> Result<Vec<Network>, Error> {
    let each = list.split(',').filter(|text| !text.trim().is_empty());
    each.map(str::parse).collect::<Result<_, _>>().map_err(|error| Error::part(option, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_both_families() {
        let both = networks("pod-cidr", "10.244.0.0/16, fd00::/48").unwrap();
        assert_eq!(both.iter().map(|network| network.prefix).collect::<Vec<_>>(), [16, 48]);
        assert!(networks("pod-cidr", "").unwrap().is_empty());
        let error = networks("pod-cidr", "10.244.0.0/16;fd00::/48").unwrap_err().to_string();
        assert!(error.contains("pod-cidr"), "{error}");
    }
}
