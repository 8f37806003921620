//! Which nodes changed when, so that an answer given before can be mended instead of made anew.

use super::NodeId;

/// So many changes are remembered.
const KEPT: usize = 1 << 14;

/// A point in the life of a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    changes: u64,
    nodes: u64,
}

/// A ring of the last changes.
#[derive(Clone, Default)]
pub(super) struct Journal {
    ring: Vec<NodeId>,
    now: Version,
    /// Nothing counts: it will all be as before.
    pub(super) trial: bool,
}

// === impl Version ===

impl Version {
    /// Whether the nodes themselves (labels, taints, what they have) are as they were then; pods may have moved.
    #[must_use]
    pub fn same_nodes(self, then: Self) -> bool {
        self.nodes == then.nodes
    }

    /// How often nodes themselves have changed by then.
    #[must_use]
    pub fn nodes(self) -> u64 {
        self.nodes
    }
}

// === impl Journal ===

impl Journal {
    /// Something on a node changed: its pods or what they use.
    pub(super) fn touch(&mut self, id: NodeId) {
        if self.trial {
            return;
        }
        let at = self.now.changes as usize % KEPT;
        match self.ring.get_mut(at) {
            Some(slot) => *slot = id,
            None => self.ring.push(id),
        }
        self.now.changes += 1;
    }

    /// The node itself changed, came or went.
    pub(super) fn touch_node(&mut self, id: NodeId) {
        self.touch(id);
        self.now.nodes += 1;
    }

    pub(super) fn now(&self) -> Version {
        self.now
    }

    /// The nodes that changed since, some of them more than once; none when that is too long ago to know.
    pub(super) fn since(&self, then: Version) -> Option<impl Iterator<Item = NodeId>> {
        let count = self.now.changes.checked_sub(then.changes)?;
        let known = count <= self.ring.len() as u64;
        known.then(|| (then.changes..self.now.changes).map(|at| self.ring[at as usize % KEPT]))
    }
}
