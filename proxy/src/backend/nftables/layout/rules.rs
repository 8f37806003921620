//! The rules of the table's chains.

use std::net::IpAddr;

use super::*;

impl Layout {
    /// Destinations that sources outside the cluster see differently.
    pub(super) fn outside_rules(&self) -> Vec<Vec<Expr>> {
        let mut addresses = self.not_from_pods();
        addresses.extend([
            Expr::AddressType { source: true, to: R0 },
            Expr::NotEqual(R0, RTN_LOCAL.to_ne_bytes().to_vec()),
        ]);
        let outside = addresses.clone();
        // A cluster address is its Service's alone, from wherever one comes.
        addresses.extend([self.destination(R0), Expr::Lacks { set: CLUSTER_IPS, key: R0 }]);
        addresses.extend(self.dispatch(View::Outside, false));
        let node_ports = self.node_port_rules(View::Outside);
        let node_ports = node_ports.map(|rule| [outside.clone(), rule].concat());
        std::iter::once(addresses).chain(node_ports).collect()
    }

    pub(super) fn service_rules(&self) -> Vec<Vec<Expr>> {
        let mut rules = vec![self.dispatch(View::Cluster, false)];
        rules.extend(self.node_port_rules(View::Cluster));
        let mut other_ports =
            vec![self.destination(R0), Expr::Contains { set: CLUSTER_IPS, key: R0 }];
        let mut other_ports_tcp = other_ports.clone();
        other_ports_tcp.extend(is_tcp());
        other_ports_tcp.push(Expr::RejectTcp);
        other_ports.push(Expr::RejectPort(self.family));
        rules.extend([other_ports_tcp, other_ports]);
        rules
    }

    /// One rule for all own addresses, or for each network of those that node ports are limited to.
    fn node_port_rules(&self, view: View) -> impl Iterator<Item = Vec<Expr>> + '_ {
        let networks = self.of_family(&self.settings.node_port_addresses);
        let mut limits: Vec<_> = networks
            .map(|network| {
                let ([load, mask], prefix) = masked(self.destination(R0), network);
                vec![load, mask, Expr::Equal(R0, prefix)]
            })
            .collect();
        if limits.is_empty() {
            limits.push(Vec::new());
        }
        limits
            .into_iter()
            .map(move |limit| [limit, self.to_own_address(), self.dispatch(view, true)].concat())
    }

    pub(super) fn reject_rules(&self) -> Vec<Vec<Expr>> {
        let mut tcp = is_tcp();
        tcp.push(Expr::RejectTcp);
        vec![tcp, vec![Expr::RejectPort(self.family)]]
    }

    pub(super) fn postrouting_rules(&self) -> Vec<Vec<Expr>> {
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
        let mut hairpin = self.to_itself();
        hairpin.push(Expr::Masquerade);
        vec![marked, hairpin]
    }

    /// Matches what comes back through a Service to the endpoint that sent it.
    pub(super) fn to_itself(&self) -> Vec<Expr> {
        let mut rule = vec![
            self.source(R0),
            self.destination(R0.plus(self.words())),
            Expr::Contains { set: HAIRPINS, key: R0 },
            Expr::ConnectionStatus { to: R0 },
        ];
        rule.extend(has_bits(IPS_DST_NAT));
        rule
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
        rule.extend(destination_port(R0.plus(key_words)));
        rule.push(Expr::Lookup { map, key: R0, to: R0 });
        rule
    }

    /// Drops what comes from none of the sources that the group may serve.
    pub(super) fn drop_strangers(&self, balancer: &Balancer) -> Vec<Expr> {
        let mut rule = self.group_and_source(balancer);
        rule.extend([Expr::Lacks { set: SOURCES, key: R0 }, Expr::Drop]);
        rule
    }

    pub(super) fn pick(&self, balancer: &Balancer) -> Vec<Expr> {
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
    pub(super) fn remembered(&self, balancer: &Balancer) -> Vec<Expr> {
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

    pub(super) fn pick_and_remember(&self, balancer: &Balancer) -> Vec<Expr> {
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

    pub(super) fn mark(&self) -> Vec<Expr> {
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

    fn of_family<'a>(
        &self,
        networks: &'a [Network],
    ) -> impl Iterator<Item = &'a Network> + use<'a> {
        let family = self.family;
        networks.iter().filter(move |network| Family::of(network.address) == family)
    }

    pub(super) fn has_pod_networks(&self) -> bool {
        self.of_family(&self.settings.pod_networks).next().is_some()
    }

    /// Matches sources outside the pods' networks.
    pub(super) fn not_from_pods(&self) -> Vec<Expr> {
        let networks = self.of_family(&self.settings.pod_networks);
        let differs = networks.flat_map(|network| {
            let ([load, mask], prefix) = masked(self.source(R0), network);
            [load, mask, Expr::NotEqual(R0, prefix)]
        });
        differs.collect()
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

    pub(super) fn source(&self, to: Reg) -> Expr {
        let offset = if self.family == Family::V4 { 12 } else { 8 };
        Expr::Payload { header: Header::Network, offset, len: 4 * u32::from(self.words()), to }
    }

    pub(super) fn destination(&self, to: Reg) -> Expr {
        let offset = if self.family == Family::V4 { 16 } else { 24 };
        Expr::Payload { header: Header::Network, offset, len: 4 * u32::from(self.words()), to }
    }
}

/// Loads protocol and destination port into two registers.
pub(super) fn destination_port(to: Reg) -> [Expr; 2] {
    let port = Expr::Payload { header: Header::Transport, offset: 2, len: 2, to: to.plus(1) };
    [Expr::L4Proto { to }, port]
}

/// Matches when the first register has one of the bits.
pub(super) fn has_bits(bits: u32) -> [Expr; 2] {
    let mask = bits.to_ne_bytes().to_vec();
    [Expr::Bitwise { from: R0, to: R0, mask, xor: vec![0; 4] }, Expr::NotEqual(R0, vec![0; 4])]
}

/// Loads an address into the first registers and masks it; and what it is then within the network.
fn masked(load: Expr, network: &Network) -> ([Expr; 2], Vec<u8>) {
    let mask = network.mask();
    let prefix = octets(network.address).into_iter().zip(&mask).map(|(octet, mask)| octet & mask);
    let prefix = prefix.collect();
    ([load, Expr::Bitwise { from: R0, to: R0, xor: vec![0; mask.len()], mask }], prefix)
}

fn is_tcp() -> Vec<Expr> {
    vec![Expr::L4Proto { to: R0 }, Expr::Equal(R0, vec![6])]
}

fn copy(from: Reg, to: Reg) -> Expr {
    Expr::Bitwise { from, to, mask: vec![0xff; 4], xor: vec![0; 4] }
}
