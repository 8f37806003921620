//! Which of many overlapping ranges hold a key, without looking at the others.

use crate::KeyRange;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Number of a group of watchers. Grows; never used twice.
pub(super) type GroupId = u64;

/// The key space cut at every start and end of a range; each piece knows the groups that cover it.
pub(super) struct RangeIndex {
    /// From this key to the next one in the map: these groups, in order.
    pieces: BTreeMap<Bytes, Vec<GroupId>>,
}

// === impl RangeIndex ===

impl Default for RangeIndex {
    fn default() -> Self {
        Self { pieces: BTreeMap::from([(Bytes::new(), Vec::new())]) }
    }
}

impl RangeIndex {
    /// The groups whose range holds the key.
    pub(super) fn covering(&self, key: &[u8]) -> &[GroupId] {
        let upto = (Bound::Unbounded, Bound::Included(key));
        let (_, groups) = self.pieces.range::<[u8], _>(upto).next_back().expect("starts at \"\"");
        groups
    }

    /// Adds a group with an id greater than all before.
    pub(super) fn add(&mut self, range: &KeyRange, id: GroupId) {
        if range.is_empty() {
            return;
        }
        self.cut(&range.start);
        range.end.iter().for_each(|end| self.cut(end));
        self.each_piece(range, |groups| groups.push(id));
    }

    /// Takes a group out that was added with this range.
    pub(super) fn remove(&mut self, range: &KeyRange, id: GroupId) {
        if range.is_empty() {
            return;
        }
        self.each_piece(range, |groups| groups.retain(|group| *group != id));
        self.mend(&range.start);
        range.end.iter().for_each(|end| self.mend(end));
    }

    fn each_piece(&mut self, range: &KeyRange, change: impl FnMut(&mut Vec<GroupId>)) {
        let end = range.end.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let pieces = self.pieces.range_mut::<Bytes, _>((Bound::Included(&range.start), end));
        pieces.map(|(_, groups)| groups).for_each(change);
    }

    /// Lets a piece begin at `key`.
    fn cut(&mut self, key: &Bytes) {
        if !self.pieces.contains_key(key) {
            let groups = self.covering(key).to_vec();
            self.pieces.insert(key.clone(), groups);
        }
    }

    /// Joins the piece that begins at `key` to the one before when they need not be apart.
    fn mend(&mut self, key: &Bytes) {
        let before = self.pieces.range::<Bytes, _>(..key).next_back();
        if before.is_some_and(|(_, groups)| self.pieces.get(key) == Some(groups)) {
            self.pieces.remove(key);
        }
    }

    #[cfg(test)]
    pub(super) fn pieces(&self) -> usize {
        self.pieces.len()
    }
}

#[cfg(test)]
mod tests;
