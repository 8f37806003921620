//! What a sequence of changes adds up to, and what that means for a packet.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::ruleset::{
    Direction, PeerMatch, PolicyChain, PolicyChange, PolicyElement, PortMatch, RuleShape,
    policy_chain, profile_chain,
};
use crate::model::Protocol;

/// The first packet of a connection, with the addresses of pods: after redirection, before masquerading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where it comes from.
    pub source: IpAddr,
    /// Where it goes.
    pub destination: IpAddr,
    /// Its protocol.
    pub protocol: Protocol,
    /// The destination's port.
    pub port: u16,
}

/// Sets, maps and chains as a backend would hold them, for tests and simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyState {
    elements: BTreeSet<PolicyElement>,
    chains: BTreeMap<String, PolicyChain>,
}

// === impl PolicyState ===

impl PolicyState {
    /// Carries a change out.
    ///
    /// # Panics
    /// With debug assertions, where a kernel would refuse: what is deleted is not there, what is
    /// added is, or a chain leads to one that is not there.
    pub fn apply(&mut self, change: &PolicyChange) {
        for element in &change.delete {
            let there = self.elements.remove(element);
            debug_assert!(there, "deleted but not there: {element:?}");
        }
        for chain in &change.add_chains {
            debug_assert!(self.targets_are_there(chain), "leads nowhere: {chain:?}");
            let there = self.chains.insert(chain.name(), chain.clone());
            debug_assert!(there.is_none(), "there already: {there:?}");
        }
        for element in &change.add {
            let new = self.elements.insert(*element);
            debug_assert!(new, "there already: {element:?}");
        }
        for chain in &change.delete_chains {
            let there = self.chains.remove(&chain.name());
            debug_assert!(there.is_some(), "deleted but not there: {chain:?}");
        }
    }

    /// Whether nothing is isolated and nothing is left over.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty() && self.chains.is_empty()
    }

    /// How many chains and elements there are.
    pub fn len(&self) -> usize {
        self.elements.len() + self.chains.len()
    }

    /// Whether a connection may begin with the packet.
    pub fn allows(&self, packet: &Packet) -> bool {
        let itself = packet.source == packet.destination;
        itself || Direction::ALL.into_iter().all(|direction| self.passes(direction, packet))
    }

    fn passes(&self, direction: Direction, packet: &Packet) -> bool {
        let (pod, peer) = match direction {
            Direction::Ingress => (packet.destination, packet.source),
            Direction::Egress => (packet.source, packet.destination),
        };
        let profile = self.elements.iter().find_map(|element| match element {
            PolicyElement::Isolated(of, ip, profile) if (*of, *ip) == (direction, pod) => {
                Some(*profile)
            }
            _ => None,
        });
        let Some(profile) = profile else { return true };
        let Some(PolicyChain::Profile { policies, .. }) = self.chains.get(&profile_chain(profile))
        else {
            return false;
        };
        policies.iter().any(|policy| {
            let chain = self.chains.get(&policy_chain(*policy, direction));
            let Some(PolicyChain::Policy { rules, .. }) = chain else { return false };
            rules.iter().any(|rule| self.matches(rule, peer, packet))
        })
    }

    fn matches(&self, shape: &RuleShape, peer: IpAddr, packet: &Packet) -> bool {
        let has = |element| self.elements.contains(&element);
        let is_peer = shape.peers.iter().any(|way| match way {
            PeerMatch::Any => true,
            PeerMatch::Pods => has(PolicyElement::Peer(shape.rule, peer)),
            PeerMatch::Blocks => self.elements.iter().any(|element| {
                matches!(element, PolicyElement::Block(rule, first, last)
                    if *rule == shape.rule && (first..=last).contains(&&peer))
            }),
        });
        let (to, protocol, port) = (packet.destination, packet.protocol, packet.port);
        is_peer
            && shape.ports.iter().any(|way| match way {
                PortMatch::Any => true,
                PortMatch::Names => has(PolicyElement::NamedPort(shape.rule, to, protocol, port)),
                PortMatch::Numbers => self.elements.iter().any(|element| {
                    matches!(element, PolicyElement::Port(rule, of, first, last)
                        if (*rule, *of) == (shape.rule, protocol) && (*first..=*last).contains(&port))
                }),
            })
    }

    fn targets_are_there(&self, chain: &PolicyChain) -> bool {
        let PolicyChain::Profile { policies, direction, .. } = chain else { return true };
        policies.iter().all(|policy| self.chains.contains_key(&policy_chain(*policy, *direction)))
    }
}
