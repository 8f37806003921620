//! Choices that the cluster does not show yet.

use super::find::{Choice, Needs, Want, choose};
use crate::plugins::volumes::{Claim, ClaimKey, Storage, Volume};
use crate::snapshot::NodeId;
use crate::{PodInfo, Snapshot};
use rustc_hash::FxHashMap;
use windlass_core::meta::Str;

/// Which volumes are set aside for which claims, and where volumes are being made.
#[derive(Clone, Default)]
pub(crate) struct Assumed {
    volumes: FxHashMap<Str, ClaimKey>,
    claims: FxHashMap<ClaimKey, Str>,
}

/// What pods get that were just put on their nodes: the next one must see it, in a gang and in what-if.
#[derive(Clone, Default)]
pub(crate) struct Given {
    by_pod: FxHashMap<Box<str>, Vec<Choice>>,
    assumed: Assumed,
}

// === impl Assumed ===

impl Assumed {
    /// The node that a claim's volume is asked for.
    pub(super) fn node(&self, claim: &Claim) -> Option<&str> {
        self.claims.get(&claim.key()).map(|node| &**node)
    }

    pub(super) fn for_claim(&self, volume: &Volume, claim: &Claim) -> bool {
        self.volumes.get(&volume.name).is_some_and(|key| *key == claim.key())
    }

    pub(super) fn by_other(&self, volume: &Volume, claim: &Claim) -> bool {
        self.volumes.get(&volume.name).is_some_and(|key| *key != claim.key())
    }

    pub(super) fn assume(&mut self, choice: &Choice, node: &Str) {
        match choice {
            Choice::Bind(claim, volume) => {
                self.volumes.insert(volume.name.clone(), claim.key());
            }
            Choice::Provision(claim) => {
                self.claims.insert(claim.key(), node.clone());
            }
        }
    }

    pub(super) fn revert(&mut self, choice: &Choice) {
        match choice {
            Choice::Bind(_, volume) => drop(self.volumes.remove(&volume.name)),
            Choice::Provision(claim) => drop(self.claims.remove(&claim.key())),
        }
    }

    /// What the cluster shows need not be assumed any more.
    pub(super) fn forget_seen(&mut self, storage: &Storage) {
        self.volumes.retain(|name, _| storage.volumes.get(name).is_some_and(|v| v.claim.is_none()));
        self.claims.retain(|key, _| {
            storage.claims.get(key).is_some_and(|claim| claim.selected_node.is_none())
        });
    }

    /// Both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.volumes.extend(other.volumes.clone());
        both.claims.extend(other.claims.clone());
        both
    }
}

// === impl Given ===

impl Given {
    pub(super) fn assumed(&self) -> &Assumed {
        &self.assumed
    }

    /// What a pod gets that was just put on its node.
    pub(super) fn to(&self, pod: &PodInfo) -> Option<&Vec<Choice>> {
        self.by_pod.get(&pod.uid)
    }
}

// === impl Storage ===

impl Storage {
    /// A pod was put on a node: its claims that wait for that get volumes.
    pub(crate) fn give(&mut self, snapshot: &Snapshot, id: NodeId, pod: &PodInfo) {
        if pod.claims.is_empty() || !pod.node_name.is_empty() || self.given.to(pod).is_some() {
            return;
        }
        let Ok(needs) = Needs::of(self, pod) else { return };
        let want = |claim| Want::new(snapshot, self, claim, &self.given.assumed);
        let wants: Vec<Want> = needs.waiting.iter().map(want).collect();
        let Ok(choices) = choose(&wants, id, &self.given.assumed) else { return };
        if !choices.is_empty() {
            let node = snapshot.name(id);
            choices.iter().for_each(|choice| self.given.assumed.assume(choice, node));
            self.given.by_pod.insert(pod.uid.clone(), choices);
        }
    }

    /// It is on it no more.
    pub(crate) fn take_back(&mut self, pod: &PodInfo) {
        for choice in self.given.by_pod.remove(&pod.uid).unwrap_or_default() {
            self.given.assumed.revert(&choice);
        }
    }
}
