//! Sets of nodes, a bit each.

use super::NodeId;

/// A set of nodes. Operations on whole sets cost a word for 64 nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSet {
    words: Vec<u64>,
}

impl NodeSet {
    /// Puts a node in, or takes it out.
    pub fn set(&mut self, id: NodeId, member: bool) {
        let (word, bit) = (id as usize / 64, 1 << (id % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        if member { self.words[word] |= bit } else { self.words[word] &= !bit }
    }

    /// Whether a node is in.
    #[must_use]
    pub fn contains(&self, id: NodeId) -> bool {
        self.words.get(id as usize / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
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
            let first = at * 64;
            let count = limit.saturating_sub(first).min(64);
            (0..count).fold(0, |yes, bit| yes | (u64::from(test(first + bit)) << bit)) & word
        };
        Self { words: self.words.iter().enumerate().map(word).collect() }
    }

    /// Takes out all that are not in `other`; returns how many that were.
    pub fn intersect(&mut self, other: &Self) -> usize {
        self.combine(|at, word| word & other.words.get(at).copied().unwrap_or(0))
    }

    /// Takes out all that are in `other`; returns how many that were.
    pub fn subtract(&mut self, other: &Self) -> usize {
        self.combine(|at, word| word & !other.words.get(at).copied().unwrap_or(0))
    }

    /// Puts in all that are in `other`.
    pub fn unite(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                (rest != 0).then(|| {
                    rest &= rest - 1;
                    at as NodeId * 64 + bit
                })
            })
        })
    }

    fn combine(&mut self, keep: impl Fn(usize, u64) -> u64) -> usize {
        let mut gone = 0;
        for (at, word) in self.words.iter_mut().enumerate() {
            let kept = keep(at, *word);
            gone += (*word & !kept).count_ones() as usize;
            *word = kept;
        }
        gone
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(ids: I) -> Self {
        let mut set = Self::default();
        ids.into_iter().for_each(|id| set.set(id, true));
        set
    }
}
