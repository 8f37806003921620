//! The best of many that change one by one.

use crate::snapshot::NodeId;

/// A tree of maxima: a change costs a look at as many keys as the number of nodes has bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Tournament {
    // The leaves from the middle on; before them, each the greater of its two. Zero: not in the game.
    keys: Vec<u64>,
}

impl Tournament {
    /// Begins anew with one key a node.
    pub(super) fn fill(&mut self, keys: impl ExactSizeIterator<Item = u64>) {
        let count = keys.len();
        self.keys.clear();
        self.keys.resize(count, 0);
        self.keys.extend(keys);
        for at in (1..count).rev() {
            self.keys[at] = self.keys[2 * at].max(self.keys[2 * at + 1]);
        }
    }

    /// How many nodes it is made for.
    pub(super) fn len(&self) -> usize {
        self.keys.len() / 2
    }

    /// Changes the key of a node.
    pub(super) fn set(&mut self, node: NodeId, key: u64) {
        let mut at = self.len() + node as usize;
        self.keys[at] = key;
        while at > 1 {
            at /= 2;
            let greater = self.keys[2 * at].max(self.keys[2 * at + 1]);
            if self.keys[at] == greater {
                return;
            }
            self.keys[at] = greater;
        }
    }

    /// The key of a node.
    pub(super) fn key(&self, node: NodeId) -> u64 {
        self.keys[self.len() + node as usize]
    }

    /// The node with the greatest key; none when nobody is in the game.
    pub(super) fn best(&self) -> Option<NodeId> {
        let count = self.len();
        let best = if count == 1 { self.keys.last() } else { self.keys.get(1) };
        if best.is_none_or(|key| *key == 0) {
            return None;
        }
        let mut at = 1;
        while at < count {
            at = if self.keys[2 * at] == self.keys[at] { 2 * at } else { 2 * at + 1 };
        }
        Some((at - count) as NodeId)
    }
}

/// A key for a score; among equals a draw decides.
pub(super) fn key(score: i64, draw: u64) -> u64 {
    let score = score.saturating_add(1 << 24).clamp(1, i64::from(u32::MAX)) as u64;
    (score << 32) | (draw >> 32)
}

/// The draw of a node in the game of `seed`.
pub(super) fn draw(seed: u64, node: NodeId) -> u64 {
    // SplitMix64 (Steele, Lea, Flood 2014).
    let mut z = seed.wrapping_add(u64::from(node).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_known_after_each_change() {
        for count in [1_u32, 2, 3, 7, 64, 101] {
            let mut plain: Vec<u64> = (0..count).map(|n| draw(1, n) % 50).collect();
            let mut tree = Tournament::default();
            tree.fill(plain.iter().copied());
            for step in 0..200_u64 {
                let node = (draw(2, step as u32) % u64::from(count)) as u32;
                plain[node as usize] = draw(3, step as u32) % 50;
                tree.set(node, plain[node as usize]);
                let best = plain.iter().max().copied().filter(|key| *key > 0);
                assert_eq!(tree.best().map(|node| plain[node as usize]), best);
            }
        }
        assert_eq!(Tournament::default().best(), None);
    }
}
