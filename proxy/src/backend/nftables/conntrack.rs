//! Clears tracked UDP connections whose endpoint is gone.
//!
//! UDP has no end of connection: a client that keeps sending would stay with a dead endpoint for
//! as long as it sends. TCP connections end by themselves.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::expr::nfproto;
use super::render::Renderer;
use super::ruleset::Frontend;
use super::uapi::*;
use crate::model::{Endpoint, Family, PortKey, Protocol, ServicePort};
use crate::netlink::{Batch, Reply, Socket, attributes};

/// What to clear: connections to a frontend that lead elsewhere than to its endpoints.
#[derive(Debug, Default)]
pub(super) struct Stale {
    keep: FxHashMap<Frontend, Arc<FxHashSet<SocketAddr>>>,
    /// Where node ports answer: a client may have sent there before there was a Service.
    own: FxHashSet<IpAddr>,
}

/// The kernel's interface to tracked connections.
#[derive(Debug)]
pub(super) struct Conntrack {
    socket: Socket,
}

/// One tracked connection.
#[derive(Debug)]
struct Connection {
    destination: SocketAddr,
    answered_by: SocketAddr,
}

/// What makes UDP connections stale in a change that is yet to be applied.
pub(super) fn stale_after<'a>(
    renderers: impl Iterator<Item = &'a Renderer> + Clone,
    updated: &[Arc<ServicePort>],
    removed: &[PortKey],
) -> Stale {
    let old = |key: &PortKey| renderers.clone().find_map(|renderer| renderer.port(key));
    let mut stale = Stale::default();
    for port in removed.iter().filter(|key| key.name.protocol == Protocol::Udp).filter_map(old) {
        stale.keep_only(port, &Arc::default());
    }
    for port in updated.iter().filter(|port| port.protocol() == Protocol::Udp) {
        let old = old(&port.key);
        if old.is_some_and(|old| !loses_connections(old, port)) {
            continue;
        }
        old.into_iter().for_each(|old| stale.keep_only(old, &Arc::default()));
        stale.keep_only(port, &Arc::new(addresses(port).collect()));
    }
    stale
}

fn loses_connections(old: &ServicePort, new: &ServicePort) -> bool {
    let kept: FxHashSet<SocketAddr> = addresses(new).collect();
    let frontends = |port: &ServicePort| {
        (port.cluster_ip, port.port, port.node_port, port.external_addresses().collect::<Vec<_>>())
    };
    frontends(old) != frontends(new)
        || addresses(old).any(|address| !kept.contains(&address))
        || (addresses(old).next().is_none() && !kept.is_empty())
}

fn addresses(port: &ServicePort) -> impl Iterator<Item = SocketAddr> + '_ {
    let endpoints: [&[Endpoint]; 2] = [&port.cluster_endpoints, &port.local_endpoints];
    endpoints.into_iter().flatten().map(|endpoint| endpoint.address)
}

// === impl Stale ===

impl Stale {
    /// All UDP connections through Services but those to the endpoints of `state`.
    pub(super) fn unless_served_by(state: &[Arc<ServicePort>]) -> Self {
        let mut stale = Self::default();
        for port in state.iter().filter(|port| port.protocol() == Protocol::Udp) {
            stale.keep_only(port, &Arc::new(addresses(port).collect()));
        }
        stale
    }

    fn keep_only(&mut self, port: &ServicePort, endpoints: &Arc<FxHashSet<SocketAddr>>) {
        let ips = port.external_addresses().chain([port.cluster_ip]);
        let frontends = ips.map(|ip| Frontend::Address(ip, Protocol::Udp, port.port));
        let node_port = port.node_port.map(|number| Frontend::NodePort(Protocol::Udp, number));
        self.keep.extend(frontends.chain(node_port).map(|frontend| (frontend, endpoints.clone())));
    }

    /// Counts connections to these addresses of the node among those to its node ports, also where nothing
    /// redirected them.
    pub(super) fn at(self, own: FxHashSet<IpAddr>) -> Self {
        Self { own, ..self }
    }

    pub(super) fn has_node_ports(&self) -> bool {
        self.keep.keys().any(|frontend| matches!(frontend, Frontend::NodePort(..)))
    }

    fn covers(&self, connection: &Connection) -> bool {
        let Connection { destination, answered_by } = connection;
        let address = Frontend::Address(destination.ip(), Protocol::Udp, destination.port());
        let own = destination != answered_by || self.own.contains(&destination.ip());
        let node_port = Frontend::NodePort(Protocol::Udp, destination.port());
        let kept = self.keep.get(&address).or_else(|| self.keep.get(&node_port).filter(|_| own));
        kept.is_some_and(|kept| !kept.contains(answered_by))
    }
}

// === impl Conntrack ===

impl Conntrack {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self { socket: Socket::netfilter()? })
    }

    /// Clears what is stale; walks the kernel's table only when there is something to look for.
    pub(super) fn forget(&mut self, stale: &Stale) -> io::Result<()> {
        let families = [Family::V4, Family::V6];
        let concerned = |family: &Family| {
            stale.keep.keys().any(|frontend| matches!(frontend, Frontend::Address(ip, ..) if Family::of(*ip) == *family))
        };
        families
            .into_iter()
            .filter(concerned)
            .try_for_each(|family| self.forget_family(family, stale))
    }

    fn forget_family(&mut self, family: Family, stale: &Stale) -> io::Result<()> {
        let header = [nfproto(family), 0, 0, 0];
        let mut request = Batch::default();
        request.message(
            (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
            NLM_F_DUMP,
            header,
            |_| {},
        );
        let mut deletions = Batch::default();
        self.socket.dump(&request, |reply| {
            if Connection::parse(reply).is_some_and(|connection| stale.covers(&connection)) {
                let kind = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
                deletions.message(kind, 0, header, |message| {
                    for (attribute, value) in reply.attributes() {
                        match attribute {
                            CTA_TUPLE_ORIG => message.bytes(attribute | NLA_F_NESTED, value),
                            CTA_ZONE | CTA_ID => message.bytes(attribute, value),
                            _ => {}
                        }
                    }
                });
            }
        })?;
        if deletions.bytes().is_empty() {
            return Ok(());
        }
        let mut failed = None;
        self.socket.request(&deletions, |answer| {
            // An entry that ended meanwhile is what was wanted.
            failed = answer
                .filter(|error| error.raw_os_error() != Some(nix::libc::ENOENT))
                .or(failed.take());
        })?;
        failed.map_or(Ok(()), Err)
    }
}

// === impl Connection ===

impl Connection {
    /// Reads a UDP connection; `None` for other protocols.
    fn parse(reply: &Reply<'_>) -> Option<Self> {
        let find = |wanted| {
            reply.attributes().find(|(attribute, _)| *attribute == wanted).map(|(_, value)| value)
        };
        Some(Self {
            destination: end(
                find(CTA_TUPLE_ORIG)?,
                [CTA_IP_V4_DST, CTA_IP_V6_DST],
                CTA_PROTO_DST_PORT,
            )?,
            answered_by: end(
                find(CTA_TUPLE_REPLY)?,
                [CTA_IP_V4_SRC, CTA_IP_V6_SRC],
                CTA_PROTO_SRC_PORT,
            )?,
        })
    }
}

/// One end of a UDP tuple.
fn end(tuple: &[u8], ip_attributes: [u16; 2], port_attribute: u16) -> Option<SocketAddr> {
    let nested = |wanted| {
        attributes(tuple).find(|(attribute, _)| *attribute == wanted).map(|(_, value)| value)
    };
    let protocol = nested(CTA_TUPLE_PROTO)?;
    let field = |wanted| {
        attributes(protocol).find(|(attribute, _)| *attribute == wanted).map(|(_, value)| value)
    };
    if field(CTA_PROTO_NUM)? != [Protocol::Udp.number()] {
        return None;
    }
    let port = u16::from_be_bytes(field(port_attribute)?.try_into().ok()?);
    let (_, ip) = attributes(nested(CTA_TUPLE_IP)?)
        .find(|(attribute, _)| ip_attributes.contains(attribute))?;
    let ip = match ip.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?)),
        _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?)),
    };
    Some(SocketAddr::new(ip, port))
}
