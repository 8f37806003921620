//! What is in force, as data: elements of sets and maps, and chains that look into them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::Protocol;

/// Whether packets come to a pod or leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// To the pod: the peer is the source.
    Ingress,
    /// From the pod: the peer is the destination.
    Egress,
}

/// One element of a map or set. Rules have numbers; no two rules in force have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyElement {
    /// A pod of this node that is isolated in a direction; packets go through the profile of this number.
    Isolated(Direction, IpAddr, u32),
    /// Leads from a profile's number to its chain.
    Profile(Direction, u32),
    /// A rule's peer.
    Peer(u32, IpAddr),
    /// Peers of a rule, from the first address to the last; those of one rule do not overlap.
    Block(u32, IpAddr, IpAddr),
    /// Ports of a rule, from the first to the last; those of one rule and protocol do not overlap.
    Port(u32, Protocol, u16, u16),
    /// A port that a rule has by name, at the pod that gives it that name.
    NamedPort(u32, IpAddr, Protocol, u16),
}

/// How a rule knows its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerMatch {
    /// Everybody is one.
    Any,
    /// By [`PolicyElement::Peer`].
    Pods,
    /// By [`PolicyElement::Block`].
    Blocks,
}

/// How a rule knows its ports, which are the destination's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortMatch {
    /// All ports of all protocols.
    Any,
    /// By [`PolicyElement::Port`].
    Numbers,
    /// By [`PolicyElement::NamedPort`].
    Names,
}

/// What one rule of a policy allows: what matches any of `peers` and any of `ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleShape {
    /// The rule's number.
    pub rule: u32,
    /// Ways to be a peer of the rule.
    pub peers: Vec<PeerMatch>,
    /// Ways to be a port of the rule.
    pub ports: Vec<PortMatch>,
}

/// A chain. Those of policies let pass what they allow and return else; profiles ask each of
/// their policies and then drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChain {
    /// What a policy allows in a direction.
    Policy {
        /// The policy's number.
        policy: u32,
        /// The direction.
        direction: Direction,
        /// Its rules in this direction; none allows nothing.
        rules: Vec<RuleShape>,
    },
    /// All policies that isolate some pods in a direction.
    Profile {
        /// The profile's number.
        profile: u32,
        /// The direction.
        direction: Direction,
        /// The policies' numbers.
        policies: Arc<[u32]>,
    },
}

/// One atomic change, in the order it is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// Elements to delete.
    pub delete: Vec<PolicyElement>,
    /// Chains to add; what others lead to comes first.
    pub add_chains: Vec<PolicyChain>,
    /// Elements to add.
    pub add: Vec<PolicyElement>,
    /// Chains to delete; what leads to others comes first.
    pub delete_chains: Vec<PolicyChain>,
}

// === impl Direction ===

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

// === impl PolicyElement ===

impl PolicyElement {
    /// The address it is about; `None` when it is about any family.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Isolated(_, ip, _)
            | Self::Peer(_, ip)
            | Self::Block(_, ip, _)
            | Self::NamedPort(_, ip, ..) => Some(*ip),
            Self::Profile(..) | Self::Port(..) => None,
        }
    }
}

// === impl PolicyChain ===

impl PolicyChain {
    /// The chain's name.
    pub fn name(&self) -> String {
        match self {
            Self::Policy { policy, direction, .. } => policy_chain(*policy, *direction),
            Self::Profile { profile, .. } => profile_chain(*profile),
        }
    }
}

/// The name of a policy's chain.
pub(crate) fn policy_chain(policy: u32, direction: Direction) -> String {
    format!("policy-{policy}-{}", direction.word())
}

/// The name of a profile's chain.
pub(crate) fn profile_chain(profile: u32) -> String {
    format!("profile-{profile}")
}

// === impl PolicyChange ===

impl PolicyChange {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many chains and elements change.
    pub fn len(&self) -> usize {
        self.delete.len() + self.add_chains.len() + self.add.len() + self.delete_chains.len()
    }
}
