//! The table's fixed part: its maps, sets and chains, and the rules of a balancer chain.

use std::net::IpAddr;

use super::expr::{Expr, Header, Reg};
use super::ruleset::{Balancer, Mode, View};
use super::uapi::*;
use crate::model::{Family, Network};

mod policies;
mod rules;

pub(super) use policies::profiles;

/// Maps and sets.
pub(super) const ADDRESSES: &str = "addresses";
pub(super) const NODE_PORTS: &str = "nodeports";
pub(super) const OUTSIDE_ADDRESSES: &str = "outside-addresses";
pub(super) const OUTSIDE_NODE_PORTS: &str = "outside-nodeports";
pub(super) const BALANCERS: &str = "balancers";
pub(super) const ENDPOINTS: &str = "endpoints";
pub(super) const AFFINITY: &str = "affinity";
pub(super) const MEMBERS: &str = "members";
pub(super) const SOURCES: &str = "sources";
pub(super) const HAIRPINS: &str = "hairpins";
pub(super) const CLUSTER_IPS: &str = "cluster-ips";
pub(super) const EGRESS_PODS: &str = "egress-pods";
pub(super) const INGRESS_PODS: &str = "ingress-pods";
pub(super) const EGRESS_PROFILES: &str = "egress-profiles";
pub(super) const INGRESS_PROFILES: &str = "ingress-profiles";
pub(super) const PEERS: &str = "peers";
pub(super) const BLOCKS: &str = "blocks";
pub(super) const POLICY_PORTS: &str = "policy-ports";
pub(super) const NAMED_PORTS: &str = "named-ports";

/// Fixed chains that verdicts lead to.
pub(super) const SERVICES: &str = "services";
pub(super) const REJECT: &str = "reject";
pub(super) const DROP: &str = "drop";
const INGRESS: &str = "ingress";

/// What a table is tuned by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Networks of the cluster's pods; sources outside of them are masqueraded on their way to a
    /// cluster address. Empty: no source counts as outside.
    pub pod_networks: Vec<Network>,
    /// Masquerade whatever goes through a Service.
    pub masquerade_all: bool,
    /// The bit of the packet mark that means "masquerade", as a mask; not 0.
    pub masquerade_mark: u32,
    /// Enforce NetworkPolicies. Without it they are passed over.
    pub network_policies: bool,
    /// The node's networks in whose addresses node ports answer; a family without any has them on all addresses.
    pub node_port_addresses: Vec<Network>,
    /// Addresses that no Service gets as an external one: the cluster's DNS.
    pub reserved: Vec<IpAddr>,
    /// How many client addresses are remembered at most, for affinity; further ones go to any endpoint.
    pub affinity_clients: u32,
}

/// A map or set.
pub(super) struct SetSpec {
    pub(super) name: &'static str,
    pub(super) flags: u32,
    pub(super) key_type: u32,
    pub(super) key_len: u32,
    pub(super) data: Option<(u32, u32)>,
    pub(super) size: Option<u32>,
    /// The lengths of the key's fields, for intervals of concatenations.
    pub(super) fields: Vec<u32>,
}

/// Where the kernel enters a chain: its type, the hook and the priority there.
pub(super) type Hook = (&'static str, u32, i32);

/// A chain and its rules.
pub(super) struct ChainSpec {
    pub(super) name: String,
    pub(super) hook: Option<Hook>,
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

    pub(super) fn reserved(&self) -> &[IpAddr] {
        &self.settings.reserved
    }

    pub(super) fn has_policies(&self) -> bool {
        self.settings.network_policies
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
            fields: Vec::new(),
        };
        let set = |name, key_type, key_words| SetSpec {
            flags: 0,
            data: None,
            ..map(name, key_type, key_words, (0, 0))
        };
        let mut sets = vec![
            map(ADDRESSES, address, words + 2, target),
            map(NODE_PORTS, port, 2, target),
            map(OUTSIDE_ADDRESSES, address, words + 2, target),
            map(OUTSIDE_NODE_PORTS, port, 2, target),
            map(BALANCERS, concat(&[TYPE_MARK; 4]), 4, (NFT_DATA_VERDICT, 0)),
            map(ENDPOINTS, concat(&[TYPE_MARK; 2]), 2, endpoint),
            SetSpec {
                flags: NFT_SET_MAP | NFT_SET_TIMEOUT | NFT_SET_EVAL,
                size: Some(self.settings.affinity_clients),
                ..map(AFFINITY, concat(&[TYPE_MARK, ip]), words + 1, endpoint)
            },
            set(MEMBERS, concat(&[TYPE_MARK, ip, TYPE_SERVICE]), words + 2),
            SetSpec {
                flags: NFT_SET_INTERVAL | NFT_SET_CONCAT,
                fields: vec![4, 4 * words],
                ..set(SOURCES, concat(&[TYPE_MARK, ip]), words + 1)
            },
            set(HAIRPINS, concat(&[ip, ip]), 2 * words),
            set(CLUSTER_IPS, ip, words),
        ];
        if self.settings.network_policies {
            let port = |name| SetSpec {
                flags: NFT_SET_INTERVAL | NFT_SET_CONCAT,
                fields: vec![4, 1, 2],
                ..set(name, concat(&[TYPE_MARK, TYPE_PROTOCOL, TYPE_SERVICE]), 3)
            };
            let named = concat(&[TYPE_MARK, ip, TYPE_PROTOCOL, TYPE_SERVICE]);
            sets.extend([
                map(EGRESS_PODS, ip, words, (TYPE_MARK, 4)),
                map(INGRESS_PODS, ip, words, (TYPE_MARK, 4)),
                map(EGRESS_PROFILES, TYPE_MARK, 1, (NFT_DATA_VERDICT, 0)),
                map(INGRESS_PROFILES, TYPE_MARK, 1, (NFT_DATA_VERDICT, 0)),
                set(PEERS, concat(&[TYPE_MARK, ip]), words + 1),
                SetSpec {
                    flags: NFT_SET_INTERVAL | NFT_SET_CONCAT,
                    fields: vec![4, 4 * words],
                    ..set(BLOCKS, concat(&[TYPE_MARK, ip]), words + 1)
                },
                port(POLICY_PORTS),
                set(NAMED_PORTS, named, words + 3),
            ]);
        }
        sets
    }

    /// The fixed chains; those that others lead to come first.
    pub(super) fn chains(&self) -> Vec<ChainSpec> {
        let chain = |name: &str, rules| ChainSpec { name: name.to_owned(), hook: None, rules };
        let base = |name: &str, hook, priority, rules| ChainSpec {
            hook: Some(("nat", hook, priority)),
            ..chain(name, rules)
        };
        let mut prerouting = self.outside_rules();
        prerouting.push(vec![Expr::Jump(SERVICES.into())]);
        let mut chains = vec![
            chain(REJECT, self.reject_rules()),
            chain(DROP, vec![vec![Expr::Drop]]),
            chain(SERVICES, self.service_rules()),
            base("prerouting", NF_INET_PRE_ROUTING, PRIORITY_DSTNAT, prerouting),
            base(
                "output",
                NF_INET_LOCAL_OUT,
                PRIORITY_DSTNAT,
                vec![vec![Expr::Jump(SERVICES.into())]],
            ),
            base("postrouting", NF_INET_POST_ROUTING, PRIORITY_SRCNAT, self.postrouting_rules()),
        ];
        if self.settings.network_policies {
            chains.extend([
                chain(INGRESS, self.ingress_rules()),
                ChainSpec {
                    hook: Some(("filter", NF_INET_FORWARD, PRIORITY_FILTER)),
                    ..chain("forward", self.forward_rules())
                },
            ]);
        }
        chains
    }

    /// The chain of a balancer: mark, stay with a remembered endpoint, else pick one. The drop at the
    /// end is for a group that a change takes away just then; the sender tries again.
    pub(super) fn balancer(&self, balancer: &Balancer) -> ChainSpec {
        let mut rules = Vec::new();
        if balancer.restricted {
            rules.push(self.drop_strangers(balancer));
        }
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
        }
        // With affinity only when no more clients can be remembered.
        rules.push(self.pick(balancer));
        rules.push(vec![Expr::Drop]);
        ChainSpec { name: balancer.chain(), hook: None, rules }
    }
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

/// An address as bytes in network order.
pub(super) fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

// === impl Settings ===

impl Default for Settings {
    /// No pod network known, kube-proxy's mark, policies enforced, node ports everywhere, 262,144 clients remembered.
    fn default() -> Self {
        Self {
            pod_networks: Vec::new(),
            masquerade_all: false,
            masquerade_mark: 0x4000,
            network_policies: true,
            node_port_addresses: Vec::new(),
            reserved: Vec::new(),
            affinity_clients: 1 << 18,
        }
    }
}
