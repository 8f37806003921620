//! One label of all nodes as small numbers: zones, hosts, racks.

use super::NodeId;
use rustc_hash::FxHashMap;
use windlass_core::meta::Str;

/// The number of a value of a label: a domain of the topology.
pub type DomainId = u32;

/// The domains that a label key divides the nodes into, numbered from zero without wide gaps.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    of_node: Vec<DomainId>,
    ids: FxHashMap<Str, DomainId>,
    names: Vec<Str>,
    sizes: Vec<u32>,
    free: Vec<DomainId>,
}

impl Topology {
    /// Stands for the domain of nodes without the label.
    pub const NONE: DomainId = DomainId::MAX;

    /// The domain of a node, [`Topology::NONE`] without the label.
    #[must_use]
    pub fn of(&self, node: NodeId) -> DomainId {
        self.of_node.get(node as usize).copied().unwrap_or(Self::NONE)
    }

    /// The domain of each node by its place; nodes beyond its end have none.
    #[must_use]
    pub fn of_nodes(&self) -> &[DomainId] {
        &self.of_node
    }

    /// One more than the greatest number in use: how long an array by domain must be.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no node has the label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many domains there are.
    #[must_use]
    pub fn domains(&self) -> usize {
        self.ids.len()
    }

    /// How many nodes each domain has, by its number; zero for numbers not in use.
    #[must_use]
    pub fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    /// The value of the label that a number in use stands for.
    #[must_use]
    pub fn name(&self, domain: DomainId) -> &Str {
        &self.names[domain as usize]
    }

    /// The number of a value.
    #[must_use]
    pub fn id(&self, value: &str) -> Option<DomainId> {
        self.ids.get(value).copied()
    }

    pub(super) fn set(&mut self, node: NodeId, value: &Str) {
        self.unset(node);
        let domain = self.ids.get(value).copied().unwrap_or_else(|| self.add(value.clone()));
        if self.of_node.len() <= node as usize {
            self.of_node.resize(node as usize + 1, Self::NONE);
        }
        self.of_node[node as usize] = domain;
        self.sizes[domain as usize] += 1;
    }

    pub(super) fn unset(&mut self, node: NodeId) {
        let Some(slot) = self.of_node.get_mut(node as usize) else { return };
        let domain = std::mem::replace(slot, Self::NONE);
        if domain == Self::NONE {
            return;
        }
        self.sizes[domain as usize] -= 1;
        if self.sizes[domain as usize] == 0 {
            self.ids.remove(&self.names[domain as usize]);
            self.free.push(domain);
        }
    }

    fn add(&mut self, value: Str) -> DomainId {
        let domain = self.free.pop().unwrap_or_else(|| {
            self.names.push(value.clone());
            self.sizes.push(0);
            self.names.len() as DomainId - 1
        });
        self.names[domain as usize] = value.clone();
        self.ids.insert(value, domain);
        domain
    }
}
