//! The rules by which NetworkPolicies let packets pass.
//!
//! Packets to and from other machines and between pods are forwarded; those of the node itself are
//! not, so policies never keep a node from its own pods. A packet's addresses are the pods' own
//! here: after redirection, before masquerading.

use super::rules::{destination_port, has_bits};
use super::*;
use crate::policy::{Direction, PeerMatch, PolicyChain, PortMatch, RuleShape};

impl Layout {
    /// Lets pass what belongs to a known connection, and a pod's way to itself; asks for the source
    /// pod's egress, then for the destination's ingress.
    pub(super) fn forward_rules(&self) -> Vec<Vec<Expr>> {
        let mut connected = vec![Expr::ConnectionState { to: R0 }];
        connected.extend(has_bits(NF_CT_STATE_ESTABLISHED | NF_CT_STATE_RELATED));
        connected.push(Expr::Accept);
        let mut to_itself = self.to_itself();
        to_itself.push(Expr::Accept);
        let egress = profile(Direction::Egress, self.source(R0));
        let mut rules = self.discovery_rules();
        rules.extend([connected, to_itself, egress, vec![Expr::Goto(INGRESS.into())]]);
        rules
    }

    /// Lets neighbours and routers find one another, without which no IPv6 packet finds its way (RFC 4890).
    fn discovery_rules(&self) -> Vec<Vec<Expr>> {
        if self.family == Family::V4 {
            return Vec::new();
        }
        let kind = Expr::Payload { header: Header::Transport, offset: 0, len: 1, to: R0 };
        vec![vec![
            Expr::L4Proto { to: R0 },
            Expr::Equal(R0, vec![IPPROTO_ICMPV6]),
            kind,
            Expr::AtLeast(R0, vec![ND_ROUTER_SOLICIT]),
            Expr::AtMost(R0, vec![ND_REDIRECT]),
            Expr::Accept,
        ]]
    }

    /// Ends in a verdict: who comes from a policy's chain must not go back there.
    pub(super) fn ingress_rules(&self) -> Vec<Vec<Expr>> {
        vec![profile(Direction::Ingress, self.destination(R0)), vec![Expr::Accept]]
    }

    /// The chain of a policy or of a profile.
    pub(in crate::backend::nftables) fn policy_chain(&self, chain: &PolicyChain) -> ChainSpec {
        let rules = match chain {
            PolicyChain::Policy { direction, rules, .. } => {
                rules.iter().flat_map(|rule| self.policy_rules(*direction, rule)).collect()
            }
            PolicyChain::Profile { direction, policies, .. } => {
                let jump = |policy: &u32| {
                    vec![Expr::Jump(crate::policy::policy_chain(*policy, *direction).into())]
                };
                policies.iter().map(jump).chain([vec![Expr::Drop]]).collect()
            }
        };
        ChainSpec { name: chain.name(), hook: None, rules }
    }

    /// One rule of the kernel for each way to match.
    fn policy_rules(&self, direction: Direction, shape: &RuleShape) -> Vec<Vec<Expr>> {
        let pass = match direction {
            Direction::Egress => Expr::Goto(INGRESS.into()),
            Direction::Ingress => Expr::Accept,
        };
        let ports = |peer: PeerMatch| shape.ports.iter().map(move |port| (peer, *port));
        let ways = shape.peers.iter().copied().flat_map(ports);
        ways.map(|(peer, port)| {
            let mut rule = self.peer(direction, shape.rule, peer);
            rule.extend(self.port(shape.rule, port));
            rule.push(pass.clone());
            rule
        })
        .collect()
    }

    fn peer(&self, direction: Direction, rule: u32, peer: PeerMatch) -> Vec<Expr> {
        let set = match peer {
            PeerMatch::Any => return Vec::new(),
            PeerMatch::Pods => PEERS,
            PeerMatch::Blocks => BLOCKS,
        };
        let address = match direction {
            Direction::Ingress => self.source(R0.plus(1)),
            Direction::Egress => self.destination(R0.plus(1)),
        };
        vec![load(rule), address, Expr::Contains { set, key: R0 }]
    }

    fn port(&self, rule: u32, port: PortMatch) -> Vec<Expr> {
        match port {
            PortMatch::Any => Vec::new(),
            PortMatch::Numbers => {
                let mut key = vec![load(rule)];
                key.extend(destination_port(R0.plus(1)));
                key.push(Expr::Contains { set: POLICY_PORTS, key: R0 });
                key
            }
            PortMatch::Names => {
                let mut key = vec![load(rule), self.destination(R0.plus(1))];
                key.extend(destination_port(R0.plus(1 + self.words())));
                key.push(Expr::Contains { set: NAMED_PORTS, key: R0 });
                key
            }
        }
    }
}

/// The map to a direction's chains. Each has its own: egress leads to ingress, and in one map of
/// both the kernel would see a loop.
pub(in crate::backend::nftables) fn profiles(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => EGRESS_PROFILES,
        Direction::Ingress => INGRESS_PROFILES,
    }
}

/// Continues in the chain of the profile that the address has, if it has one.
fn profile(direction: Direction, address: Expr) -> Vec<Expr> {
    let pods = match direction {
        Direction::Egress => EGRESS_PODS,
        Direction::Ingress => INGRESS_PODS,
    };
    vec![
        address,
        Expr::Lookup { map: pods, key: R0, to: R0 },
        Expr::VerdictMap { map: profiles(direction), key: R0 },
    ]
}

fn load(rule: u32) -> Expr {
    Expr::Load { value: rule.to_ne_bytes().to_vec(), to: R0 }
}
