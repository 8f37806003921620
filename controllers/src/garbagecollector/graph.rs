//! Who owns whom.

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use windlass_core::client::Key;
use windlass_core::object::{Header, Owner};
use windlass_core::scheme::GroupVersionResource;

pub(super) const ORPHAN: &str = "orphan";
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// So many owners known to be gone are remembered.
const REMEMBERED: usize = 10_000;

pub(super) type Uid = Arc<str>;

/// An object as the graph knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) key: Key,
    pub(super) owners: Box<[Owner]>,
    pub(super) deleting: bool,
    /// It waits until its dependents are without it.
    pub(super) orphaning: bool,
    /// It waits until the dependents that block it are gone.
    pub(super) foreground: bool,
}

/// One dependent of a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dependent {
    pub(super) uid: Uid,
    pub(super) key: Key,
    pub(super) blocks: bool,
}

/// All nodes by uid, and for each uid those that name it as an owner. Changes give back who is to be looked at.
#[derive(Default)]
pub(super) struct Graph(Mutex<State>);

#[derive(Default)]
struct State {
    nodes: FxHashMap<Uid, Node>,
    dependents: FxHashMap<Uid, FxHashSet<Uid>>,
    gone: FxHashSet<Uid>,
}

// === impl Node ===

impl Node {
    pub(super) fn new(resource: &GroupVersionResource, header: &Header) -> Self {
        let waits = |finalizer: &str| {
            header.deleting && header.finalizers.iter().any(|f| **f == *finalizer)
        };
        Self {
            key: Key::new(resource.clone(), &*header.namespace, &*header.name),
            owners: header.owners.clone(),
            deleting: header.deleting,
            orphaning: waits(ORPHAN),
            foreground: waits(FOREGROUND),
        }
    }

    fn owner(&self, uid: &str) -> Option<&Owner> {
        self.owners.iter().find(|owner| *owner.uid == *uid)
    }
}

// === impl Graph ===

impl Graph {
    /// An object is there, in this shape.
    pub(super) fn observe(&self, uid: &str, node: Node) -> Vec<Uid> {
        self.0.lock().observe(uid.into(), node)
    }

    /// An object is gone.
    pub(super) fn forget(&self, uid: &str) -> Vec<Uid> {
        self.0.lock().forget(uid)
    }

    pub(super) fn get(&self, uid: &str) -> Option<Node> {
        self.0.lock().nodes.get(uid).cloned()
    }

    /// All that name `uid` as an owner.
    pub(super) fn dependents(&self, uid: &str) -> Vec<Dependent> {
        let state = self.0.lock();
        let named = state.dependents.get(uid).into_iter().flatten();
        let dependent = |child: &Uid| {
            let node = state.nodes.get(child)?;
            let blocks = node.owner(uid)?.block_owner_deletion;
            Some(Dependent { uid: child.clone(), key: node.key.clone(), blocks })
        };
        named.filter_map(dependent).collect()
    }

    /// Whether one that names `uid` as an owner waits for its own dependents: the two may wait for each other.
    pub(super) fn may_be_in_a_circle(&self, uid: &str) -> bool {
        let state = self.0.lock();
        let mut named = state.dependents.get(uid).into_iter().flatten();
        named.any(|child| state.nodes.get(child).is_some_and(|node| node.foreground))
    }

    /// Whether this object was seen to be gone.
    pub(super) fn is_gone(&self, uid: &str) -> bool {
        self.0.lock().gone.contains(uid)
    }

    /// The server says that this object is gone. Uids never come back.
    pub(super) fn set_gone(&self, uid: &str) {
        self.0.lock().set_gone(uid);
    }
}

impl State {
    fn observe(&mut self, uid: Uid, node: Node) -> Vec<Uid> {
        let before = self.nodes.insert(uid.clone(), node.clone());
        let mut look = vec![];
        if before.as_ref() == Some(&node) {
            return look;
        }
        let had = before.as_ref().map(|before| before.owners.clone()).unwrap_or_default();
        for owner in had.iter().filter(|owner| node.owner(&owner.uid) != Some(owner)) {
            look.extend(self.waiting(&owner.uid));
            self.unlink(&owner.uid, &uid);
        }
        for owner in &node.owners {
            self.dependents.entry((*owner.uid).into()).or_default().insert(uid.clone());
        }
        if node.orphaning || node.foreground || self.is_doubtful(&node, &had) {
            look.push(uid);
        }
        look
    }

    /// Whether an owner is not there, or goes, so that the node may have to go as well.
    fn is_doubtful(&self, node: &Node, had: &[Owner]) -> bool {
        let well = |owner: &Owner| self.nodes.get(&*owner.uid).is_some_and(|node| !node.foreground);
        let changed = !had.is_empty() && !node.owners.is_empty() && *had != *node.owners;
        !node.deleting && (changed || !node.owners.iter().all(well))
    }

    fn forget(&mut self, uid: &str) -> Vec<Uid> {
        let Some(node) = self.nodes.remove(uid) else { return vec![] };
        self.set_gone(uid);
        let mut look: Vec<Uid> = self.dependents.get(uid).into_iter().flatten().cloned().collect();
        for owner in &node.owners {
            self.unlink(&owner.uid, uid);
            look.extend(self.waiting(&owner.uid));
        }
        look
    }

    /// An owner, if it waits for its dependents to go.
    fn waiting(&self, owner: &str) -> Option<Uid> {
        let (uid, node) = self.nodes.get_key_value(owner)?;
        node.foreground.then(|| uid.clone())
    }

    fn unlink(&mut self, owner: &str, child: &str) {
        if let Some(children) = self.dependents.get_mut(owner) {
            children.remove(child);
            if children.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }

    fn set_gone(&mut self, uid: &str) {
        if self.gone.len() >= REMEMBERED {
            self.gone.clear();
        }
        self.gone.insert(uid.into());
    }
}
