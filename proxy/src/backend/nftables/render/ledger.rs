//! Who claims what: elements that several Service ports may want at once.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::backend::nftables::ruleset::{Frontend, Target, View};
use crate::model::ServicePortName;

type Destination = (View, Frontend);
type Claimants = SmallVec<[(Arc<ServicePortName>, Target); 1]>;

/// Frontends and their claimants. Where several claim one destination (an overlapping node port,
/// a shared external address), the first by name has it, and the next takes over when it goes.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claimants: FxHashMap<Destination, Claimants>,
    /// The targets before the current change, of what was touched.
    touched: FxHashMap<Destination, Option<Target>>,
}

/// Counts claims on things that are the same for every claimant.
#[derive(Debug)]
pub(super) struct Counter<K> {
    counts: FxHashMap<K, u32>,
    touched: FxHashMap<K, u32>,
}

// === impl Claims ===

impl Claims {
    pub(super) fn claim(
        &mut self,
        view: View,
        frontend: Frontend,
        name: &Arc<ServicePortName>,
        target: Target,
    ) {
        let claimants = self.touch((view, frontend));
        match claimants.binary_search_by(|(other, _)| other.cmp(name)) {
            Ok(at) => claimants[at].1 = target,
            Err(at) => claimants.insert(at, (name.clone(), target)),
        }
    }

    pub(super) fn release(&mut self, view: View, frontend: Frontend, name: &Arc<ServicePortName>) {
        self.touch((view, frontend)).retain(|(other, _)| other != name);
    }

    pub(super) fn get(&self, view: View, frontend: Frontend) -> Option<Target> {
        Some(self.claimants.get(&(view, frontend))?.first()?.1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (View, Frontend, Target)> {
        self.claimants.iter().filter_map(|((view, frontend), claimants)| {
            Some((*view, *frontend, claimants.first()?.1))
        })
    }

    /// Reports each destination whose target changed, with the target before and after.
    pub(super) fn settle(
        &mut self,
        mut report: impl FnMut(View, Frontend, Option<Target>, Option<Target>),
    ) {
        for (destination, before) in std::mem::take(&mut self.touched) {
            let after = self.get(destination.0, destination.1);
            if after != before {
                report(destination.0, destination.1, before, after);
            }
            if after.is_none() {
                self.claimants.remove(&destination);
            }
        }
    }

    fn touch(&mut self, destination: Destination) -> &mut Claimants {
        let claimants = self.claimants.entry(destination).or_default();
        self.touched
            .entry(destination)
            .or_insert_with(|| claimants.first().map(|(_, target)| *target));
        claimants
    }
}

// === impl Counter ===

impl<K> Default for Counter<K> {
    fn default() -> Self {
        Self { counts: FxHashMap::default(), touched: FxHashMap::default() }
    }
}

impl<K: Copy + Eq + Hash + Ord> Counter<K> {
    pub(super) fn add(&mut self, key: K) {
        *self.touch(key) += 1;
    }

    pub(super) fn remove(&mut self, key: K) {
        let count = self.touch(key);
        *count = count.checked_sub(1).expect("only what was added is removed");
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.counts.keys()
    }

    /// What appeared and what vanished since the last call, each sorted.
    pub(super) fn settle(&mut self) -> (Vec<K>, Vec<K>) {
        let (mut added, mut deleted) = (Vec::new(), Vec::new());
        for (key, before) in std::mem::take(&mut self.touched) {
            match (before, self.counts.get(&key).copied().unwrap_or(0)) {
                (0, 0) => drop(self.counts.remove(&key)),
                (0, _) => added.push(key),
                (_, 0) => {
                    self.counts.remove(&key);
                    deleted.push(key);
                }
                _ => {}
            }
        }
        added.sort_unstable();
        deleted.sort_unstable();
        (added, deleted)
    }

    fn touch(&mut self, key: K) -> &mut u32 {
        let count = self.counts.entry(key).or_insert(0);
        self.touched.entry(key).or_insert(*count);
        count
    }
}
