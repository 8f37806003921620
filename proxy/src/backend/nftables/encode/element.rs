//! Elements of sets and maps as bytes.

use std::net::{IpAddr, SocketAddr};

use smallvec::SmallVec;

use crate::backend::nftables::expr::encode_verdict;
use crate::backend::nftables::layout::{self, map_number, octets};
use crate::backend::nftables::ruleset::{Element, Frontend, Mode, Target, View};
use crate::backend::nftables::uapi::*;
use crate::model::Protocol;
use crate::netlink::Message;
use crate::policy::{Direction, PolicyElement, profile_chain};

type Bytes = SmallVec<[u8; 40]>;

/// An element as the kernel takes it.
pub(in crate::backend::nftables) struct RawElement {
    set: &'static str,
    key: Bytes,
    value: Value,
}

enum Value {
    None,
    Data(Bytes),
    /// The end of an interval that begins with the key.
    Until(Bytes),
    Goto(String),
}

// === impl RawElement ===

#[cfg(test)]
impl RawElement {
    pub(in crate::backend::nftables) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The end of an interval, the data or the verdict's chain; empty for an element of a plain set.
    pub(in crate::backend::nftables) fn value(&self) -> &[u8] {
        match &self.value {
            Value::None => &[],
            Value::Until(bytes) | Value::Data(bytes) => bytes,
            Value::Goto(chain) => chain.as_bytes(),
        }
    }
}

impl RawElement {
    /// Leads a map's destinations of a mode that needs no balancer to a fixed chain.
    pub(super) fn verdict(map: u32, mode: Mode, chain: &str) -> Self {
        let key = words(&[map, mode as u32, 0, 0]);
        Self { set: layout::BALANCERS, key, value: Value::Goto(chain.to_owned()) }
    }

    pub(in crate::backend::nftables) fn set(&self) -> &'static str {
        self.set
    }

    /// Appends it; `with_value` unless it is to be deleted.
    pub(super) fn encode(&self, m: &mut Message<'_>, with_value: bool) {
        m.nested(NFTA_LIST_ELEM, |m| {
            m.value(NFTA_SET_ELEM_KEY, &self.key);
            match &self.value {
                Value::Until(end) => m.value(NFTA_SET_ELEM_KEY_END, end),
                Value::Data(data) if with_value => m.value(NFTA_SET_ELEM_DATA, data),
                Value::Goto(chain) if with_value => {
                    encode_verdict(m, NFTA_SET_ELEM_DATA, NFT_GOTO, Some(chain))
                }
                _ => {}
            }
        });
    }
}

impl From<&Element> for RawElement {
    fn from(element: &Element) -> Self {
        let (set, key, value) = match element {
            Element::Frontend(view, frontend, target) => frontend_element(*view, *frontend, target),
            Element::Endpoint(group, index, address) => {
                (layout::ENDPOINTS, words(&[*group, *index]), Value::Data(socket_address(*address)))
            }
            Element::Member(group, address) => {
                let mut key = words(&[*group]);
                key.extend(socket_address(*address));
                (layout::MEMBERS, key, Value::None)
            }
            Element::Source(group, first, last) => {
                let (mut key, mut end) = (words(&[*group]), words(&[*group]));
                key.extend(octets(*first));
                end.extend(octets(*last));
                (layout::SOURCES, key, Value::Until(end))
            }
            Element::Hairpin(ip) => {
                let mut key = Bytes::from_vec(octets(*ip));
                key.extend(octets(*ip));
                (layout::HAIRPINS, key, Value::None)
            }
            Element::ClusterIp(ip) => {
                (layout::CLUSTER_IPS, Bytes::from_vec(octets(*ip)), Value::None)
            }
            Element::Balancer(balancer) => {
                let map = map_number(balancer.view, balancer.node_port);
                let key = words(&[
                    map,
                    mode_word(balancer.mode, balancer.restricted),
                    balancer.endpoints,
                    balancer.affinity,
                ]);
                (layout::BALANCERS, key, Value::Goto(balancer.chain()))
            }
        };
        Self { set, key, value }
    }
}

impl From<&PolicyElement> for RawElement {
    fn from(element: &PolicyElement) -> Self {
        let of = |rule: u32, ip: IpAddr| [words(&[rule]).as_slice(), &octets(ip)].concat().into();
        let (set, key, value): (_, Bytes, _) = match *element {
            PolicyElement::Isolated(Direction::Ingress, ip, profile) => {
                (layout::INGRESS_PODS, octets(ip).into(), Value::Data(words(&[profile])))
            }
            PolicyElement::Isolated(Direction::Egress, ip, profile) => {
                (layout::EGRESS_PODS, octets(ip).into(), Value::Data(words(&[profile])))
            }
            PolicyElement::Profile(direction, profile) => {
                let chain = Value::Goto(profile_chain(profile));
                (layout::profiles(direction), words(&[profile]), chain)
            }
            PolicyElement::Peer(rule, ip) => (layout::PEERS, of(rule, ip), Value::None),
            PolicyElement::Block(rule, first, last) => {
                (layout::BLOCKS, of(rule, first), Value::Until(of(rule, last)))
            }
            PolicyElement::Port(rule, protocol, first, last) => {
                let (mut key, mut end) = (words(&[rule]), words(&[rule]));
                key.extend(destination_port(protocol, first));
                end.extend(destination_port(protocol, last));
                (layout::POLICY_PORTS, key, Value::Until(end))
            }
            PolicyElement::NamedPort(rule, ip, protocol, port) => {
                let mut key: Bytes = of(rule, ip);
                key.extend(destination_port(protocol, port));
                (layout::NAMED_PORTS, key, Value::None)
            }
        };
        Self { set, key, value }
    }
}

fn frontend_element(
    view: View,
    frontend: Frontend,
    target: &Target,
) -> (&'static str, Bytes, Value) {
    let value = words(&[
        target.group,
        mode_word(target.mode, target.restricted),
        target.endpoints,
        target.affinity,
    ]);
    let (set, mut key, protocol, number) = match (view, frontend) {
        (View::Cluster, Frontend::Address(ip, protocol, port)) => {
            (layout::ADDRESSES, octets(ip), protocol, port)
        }
        (View::Outside, Frontend::Address(ip, protocol, port)) => {
            (layout::OUTSIDE_ADDRESSES, octets(ip), protocol, port)
        }
        (View::Cluster, Frontend::NodePort(protocol, port)) => {
            (layout::NODE_PORTS, Vec::new(), protocol, port)
        }
        (View::Outside, Frontend::NodePort(protocol, port)) => {
            (layout::OUTSIDE_NODE_PORTS, Vec::new(), protocol, port)
        }
    };
    key.extend(destination_port(protocol, number));
    (set, Bytes::from_vec(key), Value::Data(value))
}

/// Mode and restriction as the maps hold them.
fn mode_word(mode: Mode, restricted: bool) -> u32 {
    mode as u32 | u32::from(restricted) << 8
}

/// Protocol and port, each in a register of its own.
fn destination_port(protocol: Protocol, port: u16) -> [u8; 8] {
    let [high, low] = port.to_be_bytes();
    [protocol.number(), 0, 0, 0, high, low, 0, 0]
}

/// Address and port, as a redirection takes them from registers.
fn socket_address(address: SocketAddr) -> Bytes {
    let mut bytes: Bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().as_slice().into(),
        IpAddr::V6(ip) => ip.octets().as_slice().into(),
    };
    let [high, low] = address.port().to_be_bytes();
    bytes.extend([high, low, 0, 0]);
    bytes
}

/// Numbers as registers hold them, in the machine's byte order.
fn words(words: &[u32]) -> Bytes {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
