//! What the table holds, as data: elements of its maps and sets, and the balancer chains.

use std::net::{IpAddr, SocketAddr};

use crate::model::Protocol;

/// The maps that lead from a packet's destination to a [`Target`].
///
/// Two views of the same addresses: what sources inside the cluster see, and, consulted first for
/// sources outside, what `externalTrafficPolicy: Local` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum View {
    /// Everybody, unless the other view has the destination.
    Cluster,
    /// Sources outside the cluster, under policy `Local`.
    Outside,
}

/// A destination that packets may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Frontend {
    /// An address and a port: cluster, external and load balancer addresses.
    Address(IpAddr, Protocol, u16),
    /// A node port on each of the node's own addresses.
    NodePort(Protocol, u16),
}

/// How packets to a frontend are treated. The numbers stand in the kernel's maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u32)]
pub enum Mode {
    /// Balance; masquerade only sources outside the pod network.
    MasqueradeOutside = 1,
    /// Balance; masquerade always.
    MasqueradeAlways = 2,
    /// Balance; keep the source.
    KeepSource = 3,
    /// No endpoints: refuse at once.
    Reject = 4,
    /// Endpoints, but none that the policy allows here: drop.
    Drop = 5,
}

/// Where a frontend leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The group of endpoints, 0 when there is nothing to balance.
    pub group: u32,
    /// How to treat the packets.
    pub mode: Mode,
    /// How many endpoints the group has.
    pub endpoints: u32,
    /// Seconds of client affinity, 0 without.
    pub affinity: u32,
    /// Whether only the group's [`Element::Source`]s are let through.
    pub restricted: bool,
}

/// A chain that picks among `endpoints` endpoints; shared by all Services of that shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Balancer {
    /// The view it serves.
    pub view: View,
    /// Whether it serves node ports or addresses.
    pub node_port: bool,
    /// How to treat the packets.
    pub mode: Mode,
    /// How many endpoints it picks from.
    pub endpoints: u32,
    /// Seconds of client affinity, 0 without.
    pub affinity: u32,
    /// Whether only the group's [`Element::Source`]s are let through.
    pub restricted: bool,
}

/// One element of a map or set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Element {
    /// Leads from a destination to its target.
    Frontend(View, Frontend, Target),
    /// The endpoint at an index of a group.
    Endpoint(u32, u32, SocketAddr),
    /// An address that belongs to a group with affinity: what a remembered choice is checked against.
    Member(u32, SocketAddr),
    /// Clients that may reach a restricted group: the first and the last of their addresses.
    Source(u32, IpAddr, IpAddr),
    /// An endpoint that may reach itself through its Service.
    Hairpin(IpAddr),
    /// A cluster address: its other ports are refused.
    ClusterIp(IpAddr),
    /// Leads to a balancer's chain.
    Balancer(Balancer),
}

/// One atomic change of the table, in the order it is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Elements to delete.
    pub delete: Vec<Element>,
    /// Balancer chains to add.
    pub add_chains: Vec<Balancer>,
    /// Elements to add.
    pub add: Vec<Element>,
    /// Balancer chains to delete.
    pub delete_chains: Vec<Balancer>,
}

// === impl Transaction ===

impl Transaction {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty()
            && self.add_chains.is_empty()
            && self.add.is_empty()
            && self.delete_chains.is_empty()
    }

    /// How many chains and elements change.
    pub fn len(&self) -> usize {
        self.delete.len() + self.add_chains.len() + self.add.len() + self.delete_chains.len()
    }
}

// === impl Balancer ===

impl Balancer {
    /// The balancer that serves a frontend's target; `None` when there is nothing to balance.
    pub fn of(view: View, frontend: Frontend, target: Target) -> Option<Self> {
        (target.endpoints > 0).then_some(Self {
            view,
            node_port: matches!(frontend, Frontend::NodePort(..)),
            mode: target.mode,
            endpoints: target.endpoints,
            affinity: target.affinity,
            restricted: target.restricted,
        })
    }

    /// The chain's name.
    pub fn chain(&self) -> String {
        let view = match (self.view, self.node_port) {
            (View::Cluster, false) => "addresses",
            (View::Cluster, true) => "nodeports",
            (View::Outside, false) => "outside-addresses",
            (View::Outside, true) => "outside-nodeports",
        };
        let mode = match self.mode {
            Mode::MasqueradeOutside => "",
            Mode::MasqueradeAlways => "-masq",
            Mode::KeepSource => "-plain",
            Mode::Reject => "-reject",
            Mode::Drop => "-drop",
        };
        let restricted = if self.restricted { "-restricted" } else { "" };
        match self.affinity {
            0 => format!("{view}{mode}{restricted}-{}", self.endpoints),
            seconds => format!("{view}{mode}{restricted}-{}-sticky-{seconds}", self.endpoints),
        }
    }
}
