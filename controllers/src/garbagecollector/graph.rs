//! Who owns whom.

use super::pending::Pending;
use crate::support::kinds::Kind;
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use windlass_core::client::Key;
use windlass_core::meta::{Str, intern};
use windlass_core::object::{Header, Owner};

pub(super) const ORPHAN: &str = "orphan";
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// So many owners known to be gone are remembered.
const REMEMBERED: usize = 10_000;

pub(super) type Uid = Arc<str>;

/// Who says that an object is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The API server, which gives uids itself.
    Own,
    /// Another server behind it, which may show any uid: what it says is made sure of.
    Behind,
}

/// Where an object is. Small, as there is one of each object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    kind: Arc<Kind>,
    namespace: Str,
    name: Box<str>,
}

/// An object as the graph knows it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) source: Source,
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
    /// It goes already.
    pub(super) deleting: bool,
}

/// An object that is gone. Its uid alone says nothing: who refers to an owner may write any, and be wrong about the rest.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Gone {
    uid: Uid,
    group: Str,
    kind: Str,
    namespace: Str,
    name: Box<str>,
}

/// All nodes by uid, and for each uid those that name it as an owner. Changes give back who is to be looked at.
#[derive(Default)]
pub(super) struct Graph(Mutex<State>, Pending);

#[derive(Default)]
struct State {
    nodes: FxHashMap<Uid, Node>,
    dependents: FxHashMap<Uid, FxHashSet<Uid>>,
    gone: FxHashSet<Gone>,
}

// === impl Place ===

impl Place {
    pub(super) fn key(&self) -> Key {
        Key::new(self.kind.resource.clone(), &*self.namespace, &*self.name)
    }
}

// === impl Node ===

impl Node {
    pub(super) fn new(kind: &Arc<Kind>, source: Source, header: &Header) -> Self {
        Self {
            place: Place {
                kind: kind.clone(),
                namespace: header.namespace.clone(),
                name: header.name.clone(),
            },
            source,
            owners: header.owners.clone(),
            deleting: header.deleting,
            orphaning: waits(header, ORPHAN),
            foreground: waits(header, FOREGROUND),
        }
    }

    /// Whether an object in this namespace means it when it names this owner.
    pub(super) fn is(&self, owner: &Owner, namespace: &str) -> bool {
        let Place { kind, namespace: own, name } = &self.place;
        owner.name == *name
            && kind.resource.group == group_of(owner)
            && *kind.kind == *owner.kind
            && (own.is_empty() || **own == *namespace)
    }

    fn gone(&self, uid: &str) -> Gone {
        Gone {
            uid: uid.into(),
            group: intern(&self.place.kind.resource.group),
            kind: intern(&self.place.kind.kind),
            namespace: self.place.namespace.clone(),
            name: self.place.name.clone(),
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

    /// What was at this place with this uid is gone.
    pub(super) fn forget(&self, uid: &str, place: &Place) -> Vec<Uid> {
        self.0.lock().forget(uid, place)
    }

    /// What was at this place may be there still, but nobody tells of it any more.
    pub(super) fn unfollow(&self, uid: &str, place: &Place) -> Vec<Uid> {
        self.0.lock().unfollow(uid, place)
    }

    /// What it does not know all of yet.
    pub(super) fn pending(&self) -> &Pending {
        &self.1
    }

    pub(super) fn get(&self, uid: &str) -> Option<Node> {
        self.0.lock().nodes.get(uid).cloned()
    }

    /// All that name `uid` as an owner, and mean the object that has it.
    pub(super) fn dependents(&self, uid: &str) -> Vec<Dependent> {
        let state = self.0.lock();
        let named = state.dependents.get(uid).into_iter().flatten();
        let it = state.nodes.get(uid);
        let dependent = |child: &Uid| {
            let node = state.nodes.get(child)?;
            let owner = node.owner(uid)?;
            let blocks = owner.block_owner_deletion;
            let means_it = it.is_none_or(|it| it.is(owner, &node.place.namespace));
            let (uid, key, deleting) = (child.clone(), node.place.key(), node.deleting);
            means_it.then_some(Dependent { uid, key, blocks, deleting })
        };
        named.filter_map(dependent).collect()
    }

    /// Whether one that names `uid` as an owner waits for its own dependents: the two may wait for each other.
    pub(super) fn may_be_in_a_circle(&self, uid: &str) -> bool {
        let state = self.0.lock();
        let mut named = state.dependents.get(uid).into_iter().flatten();
        named.any(|child| state.nodes.get(child).is_some_and(|node| node.foreground))
    }

    /// Whether the owner that an object in this namespace means was seen to be gone.
    pub(super) fn is_gone(&self, owner: &Owner, namespace: &str) -> bool {
        let state = self.0.lock();
        ["", namespace].iter().any(|namespace| state.gone.contains(&gone(owner, namespace)))
    }

    /// The server says that this owner is gone. Uids never come back.
    pub(super) fn set_gone(&self, owner: &Owner, namespace: &str) {
        self.0.lock().set_gone(gone(owner, namespace));
    }
}

fn gone(owner: &Owner, namespace: &str) -> Gone {
    Gone {
        uid: (*owner.uid).into(),
        group: intern(group_of(owner)),
        kind: owner.kind.clone(),
        namespace: intern(namespace),
        name: owner.name.clone(),
    }
}

fn group_of(owner: &Owner) -> &str {
    owner.api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// Whether an object goes, and only when the collector took this finalizer away.
pub(super) fn waits(header: &Header, finalizer: &str) -> bool {
    header.deleting && header.finalizers.iter().any(|found| **found == *finalizer)
}

impl State {
    fn observe(&mut self, uid: Uid, node: Node) -> Vec<Uid> {
        let taken = self.nodes.get(&uid).is_some_and(|known| known.place != node.place);
        if taken && node.source == Source::Behind {
            return vec![];
        }
        let before = self.nodes.insert(uid.clone(), node.clone());
        let mut look = vec![];
        if before.as_ref() == Some(&node) {
            return look;
        }
        let had = before.as_ref().map(|before| before.owners.clone()).unwrap_or_default();
        let lost: Vec<_> =
            had.iter().filter(|owner| node.owner(&owner.uid) != Some(owner)).collect();
        lost.iter().for_each(|owner| self.unlink(&owner.uid, &uid));
        for owner in &node.owners {
            self.dependents.entry((*owner.uid).into()).or_default().insert(uid.clone());
        }
        look.extend(lost.iter().filter_map(|owner| self.unblocked(&owner.uid)));
        if node.orphaning || node.foreground || self.is_doubtful(&node, &had) {
            look.push(uid);
        }
        look
    }

    /// Whether an owner is not there, or goes, so that the node may have to go as well.
    fn is_doubtful(&self, node: &Node, had: &[Owner]) -> bool {
        let well = |owner: &Owner| {
            let known = self.nodes.get(&*owner.uid);
            known.is_some_and(|it| !it.foreground && it.is(owner, &node.place.namespace))
        };
        let changed = !had.is_empty() && !node.owners.is_empty() && *had != *node.owners;
        !node.deleting && (changed || !node.owners.iter().all(well))
    }

    fn forget(&mut self, uid: &str, place: &Place) -> Vec<Uid> {
        let known = self.nodes.get(uid).filter(|node| node.place == *place);
        if let Some(node) = known.filter(|node| node.source == Source::Own) {
            self.set_gone(node.gone(uid));
        }
        self.unfollow(uid, place)
    }

    fn unfollow(&mut self, uid: &str, place: &Place) -> Vec<Uid> {
        if self.nodes.get(uid).is_none_or(|node| node.place != *place) {
            return vec![];
        }
        let Some(node) = self.nodes.remove(uid) else { return vec![] };
        let mut look: Vec<Uid> = self.dependents.get(uid).into_iter().flatten().cloned().collect();
        for owner in &node.owners {
            self.unlink(&owner.uid, uid);
            look.extend(self.unblocked(&owner.uid));
        }
        look
    }

    /// An owner that waits for its dependents to go, when none is left that blocks it.
    fn unblocked(&self, owner: &str) -> Option<Uid> {
        let (uid, node) = self.nodes.get_key_value(owner).filter(|(_, node)| node.foreground)?;
        let blocks = |child: &Uid| {
            let child = self.nodes.get(child)?;
            let owner = child.owner(owner).filter(|owner| owner.block_owner_deletion)?;
            Some(node.is(owner, &child.place.namespace))
        };
        let mut dependents = self.dependents.get(owner).into_iter().flatten();
        (!dependents.any(|child| blocks(child) == Some(true))).then(|| uid.clone())
    }

    fn unlink(&mut self, owner: &str, child: &str) {
        if let Some(children) = self.dependents.get_mut(owner) {
            children.remove(child);
            if children.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }

    fn set_gone(&mut self, gone: Gone) {
        if self.gone.len() >= REMEMBERED {
            self.gone.clear();
        }
        self.gone.insert(gone);
    }
}
