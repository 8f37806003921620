//! The cluster's DNS server on this node.

use crate::standalone::Error;
use prometheus_client::registry::Registry;
use std::net::IpAddr;
use windlass_core::cache::InformerFactory;
use windlass_core::clock::Env;
use windlass_core::component::Component;
use windlass_proxy::dns::{Dns, DnsOptions};

/// A server of the cluster's names at an address, which becomes this node's own; none without an address. Its metrics
/// go into `registry`.
///
/// # Errors
/// When the domain is no DNS name, a stub domain is not written as `example.org=192.0.2.1`, or nobody would serve it.
pub fn dns(
    address: Option<IpAddr>,
    domain: &str,
    stub_domains: &[String],
    informers: InformerFactory,
    env: Env,
    registry: &mut Registry,
) -> Result<Option<Box<dyn Component>>, Error> {
    let Some(address) = address else {
        let unserved = "nobody serves names here: stub domains need the cluster's DNS";
        let none = stub_domains.is_empty();
        return if none { Ok(None) } else { Err(Error::part("stub-domain", unserved)) };
    };
    let mut options = DnsOptions { domain: domain.to_owned(), ..DnsOptions::new(address) };
    for stub in stub_domains {
        options.forward.add_stub(stub).map_err(|error| Error::part("stub-domain", error))?;
    }
    let dns = Dns::new(options, informers, env, registry);
    Ok(Some(Box::new(dns.map_err(|error| Error::part("dns", error))?)))
}
