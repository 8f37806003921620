//! Who claims what: things that several may want at once, told once when they come and when they go.

use std::hash::Hash;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

type Claimants<N, V> = SmallVec<[(N, V); 1]>;

/// What is claimed, and by whom. Where several claim one thing (an overlapping node port, a shared
/// address), the first by name has it, and the next takes over when it goes.
#[derive(Debug)]
pub(crate) struct Claims<K, N, V> {
    claimants: FxHashMap<K, Claimants<N, V>>,
    /// The values before the current change, of what was touched.
    touched: FxHashMap<K, Option<V>>,
}

/// Counts claims on things that are the same for every claimant.
#[derive(Debug)]
pub(crate) struct Counter<K> {
    counts: FxHashMap<K, u32>,
    touched: FxHashMap<K, u32>,
}

// === impl Claims ===

impl<K, N, V> Default for Claims<K, N, V> {
    fn default() -> Self {
        Self { claimants: FxHashMap::default(), touched: FxHashMap::default() }
    }
}

impl<K: Copy + Eq + Hash, N: Clone + Ord, V: Copy + Eq> Claims<K, N, V> {
    pub(crate) fn claim(&mut self, key: K, name: &N, value: V) {
        let claimants = self.touch(key);
        match claimants.binary_search_by(|(other, _)| other.cmp(name)) {
            Ok(at) => claimants[at].1 = value,
            Err(at) => claimants.insert(at, (name.clone(), value)),
        }
    }

    pub(crate) fn release(&mut self, key: K, name: &N) {
        self.touch(key).retain(|(other, _)| other != name);
    }

    pub(crate) fn get(&self, key: K) -> Option<V> {
        Some(self.claimants.get(&key)?.first()?.1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, V)> {
        self.claimants.iter().filter_map(|(key, claimants)| Some((*key, claimants.first()?.1)))
    }

    /// Reports each thing whose value changed, with the value before and after.
    pub(crate) fn settle(&mut self, mut report: impl FnMut(K, Option<V>, Option<V>)) {
        for (key, before) in std::mem::take(&mut self.touched) {
            let after = self.get(key);
            if after != before {
                report(key, before, after);
            }
            if after.is_none() {
                self.claimants.remove(&key);
            }
        }
    }

    fn touch(&mut self, key: K) -> &mut Claimants<N, V> {
        let claimants = self.claimants.entry(key).or_default();
        self.touched.entry(key).or_insert_with(|| claimants.first().map(|(_, value)| *value));
        claimants
    }
}

// === impl Counter ===

impl<K> Default for Counter<K> {
    fn default() -> Self {
        Self { counts: FxHashMap::default(), touched: FxHashMap::default() }
    }
}

impl<K: Clone + Eq + Hash + Ord> Counter<K> {
    pub(crate) fn add(&mut self, key: K) {
        *self.touch(key) += 1;
    }

    pub(crate) fn remove(&mut self, key: K) {
        let count = self.touch(key);
        *count = count.checked_sub(1).expect("only what was added is removed");
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.counts.keys()
    }

    /// What appeared and what vanished since the last call, each sorted.
    pub(crate) fn settle(&mut self) -> (Vec<K>, Vec<K>) {
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
        let count = self.counts.entry(key.clone()).or_insert(0);
        self.touched.entry(key).or_insert(*count);
        count
    }
}
