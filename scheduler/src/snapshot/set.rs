//! Sets of nodes, a bit each.

use super::NodeId;
use smallvec::SmallVec;

/// A set of nodes, a bit each. Operations on whole sets cost a word for 64 nodes between the first and the last member:
/// little for a few nodes, however many there are.
#[derive(Clone, Debug, Default)]
pub struct NodeSet {
    /// The place of the first word.
    first: usize,
    words: SmallVec<[u64; 2]>,
}

impl NodeSet {
    /// Puts a node in, or takes it out.
    pub fn set(&mut self, id: NodeId, member: bool) {
        let (at, bit) = (id as usize / 64, 1 << (id % 64));
        if member {
            self.reach(at, at + 1);
            self.words[at - self.first] |= bit;
        } else if let Some(word) = at.checked_sub(self.first).and_then(|at| self.words.get_mut(at))
        {
            *word &= !bit;
        }
    }

    /// Whether a node is in.
    #[must_use]
    pub fn contains(&self, id: NodeId) -> bool {
        self.word(id as usize / 64) & (1 << (id % 64)) != 0
    }

    /// How many are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether none is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Those of the members for which `test` says yes. It is asked for whole words of nodes without a branch, and so may
    /// be asked about nodes that are no members too, up to `limit`.
    #[must_use]
    pub(crate) fn filtered(&self, limit: usize, test: impl Fn(usize) -> bool) -> Self {
        let word = |(at, word): (usize, &u64)| {
            if *word == 0 {
                return 0;
            }
            let first = (self.first + at) * 64;
            let count = limit.saturating_sub(first).min(64);
            (0..count).fold(0, |yes, bit| yes | (u64::from(test(first + bit)) << bit)) & word
        };
        Self { first: self.first, words: self.words.iter().enumerate().map(word).collect() }
    }

    /// Takes out all that are not in `other`; returns how many that were.
    pub fn intersect(&mut self, other: &Self) -> usize {
        self.combine(|at, word| word & other.word(at))
    }

    /// Takes out all that are in `other`; returns how many that were.
    pub fn subtract(&mut self, other: &Self) -> usize {
        self.combine(|at, word| word & !other.word(at))
    }

    /// Puts in all that are in `other`.
    pub fn unite(&mut self, other: &Self) {
        if other.words.is_empty() {
            return;
        }
        self.reach(other.first, other.first + other.words.len());
        let words = self.words[other.first - self.first..].iter_mut();
        words.zip(&other.words).for_each(|(word, more)| *word |= more);
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.words.iter().enumerate().flat_map(move |(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                (rest != 0).then(|| {
                    rest &= rest - 1;
                    (self.first + at) as NodeId * 64 + bit
                })
            })
        })
    }

    fn word(&self, at: usize) -> u64 {
        at.checked_sub(self.first).and_then(|at| self.words.get(at)).copied().unwrap_or(0)
    }

    fn end(&self) -> usize {
        self.first + self.words.len()
    }

    /// Makes sure that there are the words from `first` up to `end`.
    fn reach(&mut self, first: usize, end: usize) {
        if self.words.is_empty() {
            self.first = first;
        }
        if first < self.first {
            self.words.insert_many(0, std::iter::repeat_n(0, self.first - first));
            self.first = first;
        }
        if self.end() < end {
            self.words.resize(end - self.first, 0);
        }
    }

    fn combine(&mut self, keep: impl Fn(usize, u64) -> u64) -> usize {
        let (mut gone, first) = (0, self.first);
        for (at, word) in self.words.iter_mut().enumerate() {
            let kept = keep(first + at, *word);
            gone += (*word & !kept).count_ones() as usize;
            *word = kept;
        }
        gone
    }
}

impl PartialEq for NodeSet {
    fn eq(&self, other: &Self) -> bool {
        let (first, end) = (self.first.min(other.first), self.end().max(other.end()));
        (first..end).all(|at| self.word(at) == other.word(at))
    }
}

impl Eq for NodeSet {}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(ids: I) -> Self {
        let mut set = Self::default();
        ids.into_iter().for_each(|id| set.set(id, true));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn sets_are_sets_wherever_they_begin() {
        let plain = |seed: u32| -> BTreeSet<NodeId> {
            (0..seed % 9).map(|n| (seed * 31 + n * n * 97) % 700).collect()
        };
        let set = |plain: &BTreeSet<NodeId>| plain.iter().rev().copied().collect::<NodeSet>();
        for (a, b) in (0..60).flat_map(|a| (0..60).map(move |b| (plain(a), plain(b * 7)))) {
            let (mut both, mut without, mut either) = (set(&a), set(&a), set(&a));
            assert_eq!(both.intersect(&set(&b)), a.difference(&b).count());
            assert_eq!(without.subtract(&set(&b)), a.intersection(&b).count());
            either.unite(&set(&b));
            assert!(both.iter().eq(a.intersection(&b).copied()));
            assert!(without.iter().eq(a.difference(&b).copied()));
            assert!(either.iter().eq(a.union(&b).copied()));
            assert_eq!(set(&a) == set(&b), a == b);
            assert_eq!(both, a.intersection(&b).copied().collect());
            assert!(
                set(&a)
                    .filtered(640, |id| id % 2 == 0)
                    .iter()
                    .eq(a.iter().copied().filter(|id| id % 2 == 0 && *id < 640))
            );
            assert!(a.union(&b).all(|id| set(&a).contains(*id) == a.contains(id)));
        }
    }
}
