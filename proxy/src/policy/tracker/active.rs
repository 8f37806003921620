//! A policy in force, and what pods are to it.

use std::net::IpAddr;
use std::sync::Arc;

use windlass_core::Object;
use windlass_core::cache::Entry;

use crate::model::Protocol;
use crate::policy::compile::{PodPeer, Policy, Rule};
use crate::policy::ruleset::{Direction, PolicyChain, PolicyElement};
use crate::policy::view::PodView;

/// A pod with what rules ask of it. Two of the same parts mean the same.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) entry: Arc<Entry<PodView>>,
    /// Whether it runs on this node.
    pub(super) local: bool,
    /// Unknown while the namespace has not been seen.
    namespace: Option<Arc<Object>>,
}

/// A version of a policy; a new one gets new numbers.
#[derive(Debug)]
pub(super) struct Active {
    number: u32,
    namespace: Arc<str>,
    policy: Arc<Policy>,
    /// The number before the one of its first rule.
    before: u32,
}

// === impl Pod ===

impl Pod {
    pub(super) fn new(
        entry: Arc<Entry<PodView>>,
        namespace: Option<Arc<Object>>,
        node: &str,
    ) -> Self {
        let local = entry.view.node_name() == node && !node.is_empty();
        Self { entry, local, namespace }
    }

    /// Whether a policy of its namespace selects it.
    pub(super) fn is_selected_by(&self, policy: &Policy) -> bool {
        policy.pods.matches(&self.entry.object.header().labels)
    }

    fn is_peer(&self, peer: &PodPeer, own_namespace: &str) -> bool {
        let of_namespace = match &peer.namespaces {
            None => self.entry.object.namespace() == own_namespace,
            Some(selector) => self
                .namespace
                .as_ref()
                .is_some_and(|namespace| selector.matches(&namespace.header().labels)),
        };
        of_namespace && peer.pods.matches(&self.entry.object.header().labels)
    }

    fn ports<'a>(
        &'a self,
        names: &'a [(Protocol, String)],
    ) -> impl Iterator<Item = (Protocol, u16)> + 'a {
        let named = self.entry.view.named_ports().filter(move |port| {
            names.iter().any(|(protocol, name)| (*protocol, name) == (port.protocol, &port.name))
        });
        named.map(|port| (port.protocol, port.container_port))
    }
}

// === impl Active ===

impl Active {
    pub(super) fn new(number: u32, before: u32, namespace: Arc<str>, policy: Arc<Policy>) -> Self {
        Self { number, namespace, policy, before }
    }

    /// Its number, if it isolates in a direction.
    pub(super) fn number(&self, direction: Direction) -> Option<u32> {
        self.policy.rules(direction).map(|_| self.number)
    }

    /// The number of its last rule.
    pub(super) fn last_rule(&self) -> u32 {
        self.rules().map(|(number, ..)| number).last().unwrap_or(self.before)
    }

    pub(super) fn chains(&self) -> impl Iterator<Item = PolicyChain> + '_ {
        Direction::ALL.into_iter().filter_map(|direction| {
            self.policy.rules(direction)?;
            let rules = self.rules().filter(|(_, other, _)| *other == direction);
            Some(PolicyChain::Policy {
                policy: self.number,
                direction,
                rules: rules.map(|(number, _, rule)| rule.shape(number)).collect(),
            })
        })
    }

    /// Elements that stand in the policy itself.
    pub(super) fn fixed_elements(&self, mut each: impl FnMut(PolicyElement)) {
        for (number, _, rule) in self.rules() {
            for (first, last) in rule.peers.iter().flat_map(|peers| &peers.blocks) {
                each(PolicyElement::Block(number, *first, *last));
            }
            for (protocol, first, last) in rule.ports.iter().flat_map(|ports| &ports.numbers) {
                each(PolicyElement::Port(number, *protocol, *first, *last));
            }
        }
    }

    /// Elements that a pod brings: the same for the same pod, however often they are asked for.
    pub(super) fn elements(&self, pod: &Pod, mut each: impl FnMut(PolicyElement)) {
        for (number, direction, rule) in self.rules() {
            let (is_peer, may_be_peer) = match &rule.peers {
                None => (false, true),
                Some(peers) => {
                    let is = peers.pods.iter().any(|peer| pod.is_peer(peer, &self.namespace));
                    (is, is || !peers.blocks.is_empty())
                }
            };
            let names = rule.ports.iter().flat_map(|ports| &*ports.names).next().is_some();
            // The named port is the destination's: of the selected pods, or of the peers.
            let is_destination = names
                && match direction {
                    Direction::Egress => may_be_peer,
                    Direction::Ingress => pod.local && self.selects(pod),
                };
            if !is_peer && !is_destination {
                continue;
            }
            let names = rule.ports.as_ref().map(|ports| &*ports.names).unwrap_or_default();
            for ip in pod.entry.view.addresses() {
                if is_peer {
                    each(PolicyElement::Peer(number, ip));
                }
                if is_destination {
                    named(pod, names, number, ip, &mut each);
                }
            }
        }
    }

    fn selects(&self, pod: &Pod) -> bool {
        pod.entry.object.namespace() == &*self.namespace && pod.is_selected_by(&self.policy)
    }

    fn rules(&self) -> impl Iterator<Item = (u32, Direction, &Rule)> {
        let rules = Direction::ALL.into_iter().flat_map(|direction| {
            let rules = self.policy.rules(direction).unwrap_or_default();
            rules.iter().map(move |rule| (direction, rule))
        });
        (self.before.wrapping_add(1)..)
            .zip(rules)
            .map(|(number, (direction, rule))| (number, direction, rule))
    }
}

fn named(
    pod: &Pod,
    names: &[(Protocol, String)],
    rule: u32,
    ip: IpAddr,
    each: &mut impl FnMut(PolicyElement),
) {
    for (protocol, port) in pod.ports(names) {
        each(PolicyElement::NamedPort(rule, ip, protocol, port));
    }
}
