//! The table's fixed part: its maps, sets and chains, and the rules of a balancer chain.

use std::net::IpAddr;

use super::expr::{Expr, Header, Reg};
use super::ruleset::{Balancer, Mode, View};
use super::uapi::*;
use crate::model::Family;

/// Maps and sets.
pub(super) const ADDRESSES: &str = "addresses";
pub(super) const NODE_PORTS: &str = "nodeports";
pub(super) const OUTSIDE_ADDRESSES: &str = "outside-addresses";
pub(super) const OUTSIDE_NODE_PORTS: &str = "outside-nodeports";
pub(super) const BALANCERS: &str = "balancers";
pub(super) const ENDPOINTS: &str = "endpoints";
pub(super) const AFFINITY: &str = "affinity";
pub(super) const MEMBERS: &str = "members";
pub(super) const HAIRPINS: &str = "hairpins";
pub(super) const CLUSTER_IPS: &str = "cluster-ips";

/// Fixed chains that verdicts lead to.
pub(super) const SERVICES: &str = "services";
pub(super) const REJECT: &str = "reject";
pub(super) const DROP: &str = "drop";

/// How many client addresses are remembered at most.
const AFFINITY_SIZE: u32 = 1 << 18;

/// What a table is tuned by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Networks of the cluster's pods; sources outside of them are masqueraded on their way to a
    /// cluster address. Empty: no source counts as outside.
    pub pod_networks: Vec<Network>,
    /// Masquerade whatever goes through a Service.
    pub masquerade_all: bool,
    /// The bit of the packet mark that means "masquerade", as a mask.
    pub masquerade_mark: u32,
}

/// An IP network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// An address of the network.
    pub address: IpAddr,
    /// The length of its prefix, in bits.
    pub prefix: u8,
}

/// A map or set.
pub(super) struct SetSpec {
    pub(super) name: &'static str,
    pub(super) flags: u32,
    pub(super) key_type: u32,
    pub(super) key_len: u32,
    pub(super) data: Option<(u32, u32)>,
    pub(super) size: Option<u32>,
}

/// A chain and its rules.
pub(super) struct ChainSpec {
    pub(super) name: String,
    pub(super) hook: Option<(u32, i32)>,
    pub(super) rules: Vec<Vec<Expr>>,
}

/// The layout of one family's table.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) family: Family,
    settings: Settings,
}

/// Data types as the `nft` program numbers them, so that it can print the table.
const TYPE_IP4: u32 = 7;
const TYPE_IP6: u32 = 8;
const TYPE_PROTOCOL: u32 = 12;
const TYPE_SERVICE: u32 = 13;
const TYPE_MARK: u32 = 19;

const R0: Reg = Reg(0);

// === impl Layout ===

impl Layout {
    pub(super) fn new(family: Family, settings: Settings) -> Self {
        Self { family, settings }
    }

    /// How many 32-bit words an address takes.
    fn words(&self) -> u8 {
        match self.family {
            Family::V4 => 1,
            Family::V6 => 4,
        }
    }

    pub(super) fn sets(&self) -> Vec<SetSpec> {
        let words = u32::from(self.words());
        let ip = if self.family == Family::V4 { TYPE_IP4 } else { TYPE_IP6 };
        let (port, address) =
            (concat(&[TYPE_PROTOCOL, TYPE_SERVICE]), concat(&[ip, TYPE_PROTOCOL, TYPE_SERVICE]));
        let endpoint = (concat(&[ip, TYPE_SERVICE]), 4 * (words + 1));
        let target = (concat(&[TYPE_MARK; 4]), 16);
        let map = |name, key_type, key_words, data| SetSpec {
            name,
            flags: NFT_SET_MAP,
            key_type,
            key_len: 4 * key_words,
            data: Some(data),
            size: None,
        };
        let set = |name, key_type, key_words| SetSpec {
            flags: 0,
            data: None,
            ..map(name, key_type, key_words, (0, 0))
        };
        vec![
            map(ADDRESSES, address, words + 2, target),
            map(NODE_PORTS, port, 2, target),
            map(OUTSIDE_ADDRESSES, address, words + 2, target),
            map(OUTSIDE_NODE_PORTS, port, 2, target),
            map(BALANCERS, concat(&[TYPE_MARK; 4]), 4, (NFT_DATA_VERDICT, 0)),
            map(ENDPOINTS, concat(&[TYPE_MARK; 2]), 2, endpoint),
            SetSpec {
                flags: NFT_SET_MAP | NFT_SET_TIMEOUT | NFT_SET_EVAL,
                size: Some(AFFINITY_SIZE),
                ..map(AFFINITY, concat(&[TYPE_MARK, ip]), words + 1, endpoint)
            },
            set(MEMBERS, concat(&[TYPE_MARK, ip, TYPE_SERVICE]), words + 2),
            set(HAIRPINS, concat(&[ip, ip]), 2 * words),
            set(CLUSTER_IPS, ip, words),
        ]
    }

    /// The fixed chains; those that others lead to come first.
    pub(super) fn chains(&self) -> Vec<ChainSpec> {
        let chain = |name: &str, rules| ChainSpec { name: name.to_owned(), hook: None, rules };
        let base = |name: &str, hook, priority, rules| ChainSpec {
            hook: Some((hook, priority)),
            ..chain(name, rules)
        };
        let mut prerouting = self.outside_rules();
        prerouting.push(vec![Expr::Jump(SERVICES)]);
        vec![
            chain(REJECT, self.reject_rules()),
            chain(DROP, vec![vec![Expr::Drop]]),
            chain(SERVICES, self.service_rules()),
            base("prerouting", NF_INET_PRE_ROUTING, PRIORITY_DSTNAT, prerouting),
            base("output", NF_INET_LOCAL_OUT, PRIORITY_DSTNAT, vec![vec![Expr::Jump(SERVICES)]]),
            base("postrouting", NF_INET_POST_ROUTING, PRIORITY_SRCNAT, self.postrouting_rules()),
        ]
    }

    /// The chain of a balancer: mark, stay with a remembered endpoint, else pick one. When a
    /// concurrent change takes the element away, the packet is dropped and its sender tries again.
    pub(super) fn balancer(&self, balancer: &Balancer) -> ChainSpec {
        let mut rules = Vec::new();
        match balancer.mode {
            _ if self.settings.masquerade_all => rules.push(self.mark()),
            Mode::MasqueradeAlways => rules.push(self.mark()),
            Mode::MasqueradeOutside if self.has_pod_networks() => {
                let mut rule = self.not_from_pods();
                rule.extend(self.mark());
                rules.push(rule);
            }
            _ => {}
        }
        if balancer.affinity > 0 {
            rules.push(self.remembered(balancer));
            rules.push(self.pick_and_remember(balancer));
        } else {
            rules.push(self.pick(balancer));
        }
        rules.push(vec![Expr::Drop]);
        ChainSpec { name: balancer.chain(), hook: None, rules }
    }

    /// Destinations that sources outside the cluster see differently.
    fn outside_rules(&self) -> Vec<Vec<Expr>> {
        let mut addresses = self.not_from_pods();
        addresses.extend([
            Expr::AddressType { source: true, to: R0 },
            Expr::NotEqual(R0, RTN_LOCAL.to_ne_bytes().to_vec()),
        ]);
        let mut node_ports = addresses.clone();
        addresses.extend(self.dispatch(View::Outside, false));
        node_ports.extend(self.to_own_address());
        node_ports.extend(self.dispatch(View::Outside, true));
        vec![addresses, node_ports]
    }

    fn service_rules(&self) -> Vec<Vec<Expr>> {
        let mut node_ports = self.to_own_address();
        node_ports.extend(self.dispatch(View::Cluster, true));
        let mut other_ports =
            vec![self.destination(R0), Expr::Contains { set: CLUSTER_IPS, key: R0 }];
        let mut other_ports_tcp = other_ports.clone();
        other_ports_tcp.extend(is_tcp());
        other_ports_tcp.push(Expr::RejectTcp);
        other_ports.push(Expr::RejectPort(self.family));
        vec![self.dispatch(View::Cluster, false), node_ports, other_ports_tcp, other_ports]
    }

    fn reject_rules(&self) -> Vec<Vec<Expr>> {
        let mut tcp = is_tcp();
        tcp.push(Expr::RejectTcp);
        vec![tcp, vec![Expr::RejectPort(self.family)]]
    }

    fn postrouting_rules(&self) -> Vec<Vec<Expr>> {
        let mark = self.settings.masquerade_mark;
        let marked = vec![
            Expr::LoadMark { to: R0 },
            Expr::Bitwise {
                from: R0,
                to: R0.plus(1),
                mask: mark.to_ne_bytes().to_vec(),
                xor: vec![0; 4],
            },
            Expr::NotEqual(R0.plus(1), vec![0; 4]),
            // The mark has done its work; an encapsulated packet must not be masqueraded once more.
            Expr::Bitwise {
                from: R0,
                to: R0,
                mask: (!mark).to_ne_bytes().to_vec(),
                xor: vec![0; 4],
            },
            Expr::SetMark { from: R0 },
            Expr::Masquerade,
        ];
        let hairpin = vec![
            self.source(R0),
            self.destination(R0.plus(self.words())),
            Expr::Contains { set: HAIRPINS, key: R0 },
            Expr::Masquerade,
        ];
        vec![marked, hairpin]
    }

    /// Leads to the destination's balancer.
    fn dispatch(&self, view: View, node_port: bool) -> Vec<Expr> {
        let mut rule = self.lookup_target(view, node_port);
        // The group's register is no longer needed: it takes the number of the map, so that one
        // verdict map serves all four.
        rule.push(Expr::Bitwise {
            from: R0,
            to: R0,
            mask: vec![0; 4],
            xor: map_number(view, node_port).to_ne_bytes().to_vec(),
        });
        rule.push(Expr::VerdictMap { map: BALANCERS, key: R0 });
        rule
    }

    /// Loads group, mode, endpoint count and affinity into the first four registers.
    fn lookup_target(&self, view: View, node_port: bool) -> Vec<Expr> {
        let (map, key_words) = match (view, node_port) {
            (View::Cluster, false) => (ADDRESSES, self.words()),
            (View::Cluster, true) => (NODE_PORTS, 0),
            (View::Outside, false) => (OUTSIDE_ADDRESSES, self.words()),
            (View::Outside, true) => (OUTSIDE_NODE_PORTS, 0),
        };
        let mut rule = Vec::new();
        if !node_port {
            rule.push(self.destination(R0));
        }
        rule.push(Expr::L4Proto { to: R0.plus(key_words) });
        rule.push(Expr::Payload {
            header: Header::Transport,
            offset: 2,
            len: 2,
            to: R0.plus(key_words + 1),
        });
        rule.push(Expr::Lookup { map, key: R0, to: R0 });
        rule
    }

    fn pick(&self, balancer: &Balancer) -> Vec<Expr> {
        let mut rule = self.lookup_target(balancer.view, balancer.node_port);
        let endpoint = R0.plus(2);
        rule.extend([
            Expr::Random { below: balancer.endpoints, to: R0.plus(1) },
            Expr::Lookup { map: ENDPOINTS, key: R0, to: endpoint },
            self.dnat(endpoint),
        ]);
        rule
    }

    /// Registers of the rules with affinity: group and source, the group again, and the endpoint.
    fn remembered(&self, balancer: &Balancer) -> Vec<Expr> {
        let (group, endpoint) = self.affinity_registers();
        let mut rule = self.group_and_source(balancer);
        rule.extend([
            Expr::Lookup { map: AFFINITY, key: R0, to: endpoint },
            copy(R0, group),
            Expr::Contains { set: MEMBERS, key: group },
            Expr::Remember { map: AFFINITY, key: R0, value: endpoint, seconds: balancer.affinity },
            self.dnat(endpoint),
        ]);
        rule
    }

    fn pick_and_remember(&self, balancer: &Balancer) -> Vec<Expr> {
        let (group, endpoint) = self.affinity_registers();
        let mut rule = self.group_and_source(balancer);
        rule.extend([
            copy(R0, group),
            Expr::Random { below: balancer.endpoints, to: group.plus(1) },
            Expr::Lookup { map: ENDPOINTS, key: group, to: endpoint },
            // A remembered endpoint that is gone would otherwise stay under the key.
            Expr::Forget { map: AFFINITY, key: R0, value: endpoint },
            Expr::Remember { map: AFFINITY, key: R0, value: endpoint, seconds: balancer.affinity },
            self.dnat(endpoint),
        ]);
        rule
    }

    fn affinity_registers(&self) -> (Reg, Reg) {
        let group = R0.plus(1 + self.words());
        (group, group.plus(1))
    }

    fn group_and_source(&self, balancer: &Balancer) -> Vec<Expr> {
        let mut rule = self.lookup_target(balancer.view, balancer.node_port);
        rule.push(self.source(R0.plus(1)));
        rule
    }

    fn dnat(&self, endpoint: Reg) -> Expr {
        Expr::Dnat { family: self.family, address: endpoint, port: endpoint.plus(self.words()) }
    }

    fn mark(&self) -> Vec<Expr> {
        let mark = self.settings.masquerade_mark;
        vec![
            Expr::LoadMark { to: R0 },
            Expr::Bitwise {
                from: R0,
                to: R0,
                mask: (!mark).to_ne_bytes().to_vec(),
                xor: mark.to_ne_bytes().to_vec(),
            },
            Expr::SetMark { from: R0 },
        ]
    }

    fn pod_networks(&self) -> impl Iterator<Item = &Network> {
        self.settings
            .pod_networks
            .iter()
            .filter(|network| Family::of(network.address) == self.family)
    }

    fn has_pod_networks(&self) -> bool {
        self.pod_networks().next().is_some()
    }

    /// Matches sources outside the pods' networks.
    fn not_from_pods(&self) -> Vec<Expr> {
        let mut rule = Vec::new();
        for network in self.pod_networks() {
            let mask = mask(network);
            let prefix = octets(network.address)
                .iter()
                .zip(&mask)
                .map(|(octet, mask)| octet & mask)
                .collect();
            rule.push(self.source(R0));
            rule.push(Expr::Bitwise { from: R0, to: R0, xor: vec![0; mask.len()], mask });
            rule.push(Expr::NotEqual(R0, prefix));
        }
        rule
    }

    /// Matches the node's own addresses, but not loopback: a redirected loopback packet could not leave it.
    fn to_own_address(&self) -> Vec<Expr> {
        let (len, loopback) = match self.family {
            Family::V4 => (1, vec![127]),
            Family::V6 => (16, octets(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST))),
        };
        let Expr::Payload { header, offset, .. } = self.destination(R0) else {
            unreachable!("a destination is loaded from the packet")
        };
        vec![
            Expr::Payload { header, offset, len, to: R0 },
            Expr::NotEqual(R0, loopback),
            Expr::AddressType { source: false, to: R0 },
            Expr::Equal(R0, RTN_LOCAL.to_ne_bytes().to_vec()),
        ]
    }

    fn source(&self, to: Reg) -> Expr {
        let offset = if self.family == Family::V4 { 12 } else { 8 };
        Expr::Payload { header: Header::Network, offset, len: 4 * u32::from(self.words()), to }
    }

    fn destination(&self, to: Reg) -> Expr {
        let offset = if self.family == Family::V4 { 16 } else { 24 };
        Expr::Payload { header: Header::Network, offset, len: 4 * u32::from(self.words()), to }
    }
}

fn is_tcp() -> Vec<Expr> {
    vec![Expr::L4Proto { to: R0 }, Expr::Equal(R0, vec![6])]
}

fn copy(from: Reg, to: Reg) -> Expr {
    Expr::Bitwise { from, to, mask: vec![0xff; 4], xor: vec![0; 4] }
}

/// The number by which a map's elements are told apart in the verdict map.
pub(super) fn map_number(view: View, node_port: bool) -> u32 {
    match (view, node_port) {
        (View::Cluster, false) => 0,
        (View::Cluster, true) => 1,
        (View::Outside, false) => 2,
        (View::Outside, true) => 3,
    }
}

/// All four maps, for the verdicts that each of them has.
pub(super) const ALL_MAPS: [(View, bool); 4] =
    [(View::Cluster, false), (View::Cluster, true), (View::Outside, false), (View::Outside, true)];

/// The `nft` program's number of a concatenation of types.
fn concat(types: &[u32]) -> u32 {
    types.iter().fold(0, |all, one| (all << 6) | one)
}

fn mask(network: &Network) -> Vec<u8> {
    let bits = octets(network.address).len() * 8;
    let ones = usize::from(network.prefix).min(bits);
    (0..bits / 8)
        .map(|byte| {
            0xff_u8
                .checked_shl(8_u32.saturating_sub((ones.saturating_sub(byte * 8)) as u32))
                .unwrap_or(0)
        })
        .collect()
}

/// An address as bytes in network order.
pub(super) fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

// === impl Settings ===

impl Default for Settings {
    /// No pod network known, kube-proxy's mark.
    fn default() -> Self {
        Self { pod_networks: Vec::new(), masquerade_all: false, masquerade_mark: 0x4000 }
    }
}
