//! All keys in order, in chunks that know how many of their keys are there now.
//!
//! Counting the keys of a long range takes a look at each chunk, not at each key.

use super::slot::{Slot, Version};
use crate::KeyValue;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Most keys of a chunk.
const MOST: usize = 128;
/// A chunk with fewer keys joins the one before it when both fit in half a chunk.
const FEW: usize = MOST / 8;

/// Why a chunk is found for every key.
const FIRST: &str = "the first chunk begins with the empty key";

/// What every key holds, and held.
pub(super) struct Keys {
    /// Under each key the keys from it up to the next; the first begins with the empty key.
    chunks: BTreeMap<Bytes, Chunk>,
}

#[derive(Default)]
struct Chunk {
    slots: Vec<(Bytes, Slot)>,
    /// How many of them are there now.
    live: usize,
}

// === impl Keys ===

impl Default for Keys {
    fn default() -> Self {
        Self { chunks: BTreeMap::from([(Bytes::new(), Chunk::default())]) }
    }
}

impl FromIterator<KeyValue> for Keys {
    /// From keys in order.
    fn from_iter<I: IntoIterator<Item = KeyValue>>(keys: I) -> Self {
        let mut this = Self::default();
        keys.into_iter().for_each(|kv| this.push(&kv.key, Version::from(&kv)));
        this
    }
}

impl Keys {
    /// The key and all its versions.
    pub(super) fn get(&self, key: &[u8]) -> Option<(&Bytes, &Slot)> {
        let (_, chunk) = self.chunks.range::<[u8], _>(up_to(key)).next_back()?;
        let (key, slot) = &chunk.slots[chunk.find(key).ok()?];
        Some((key, slot))
    }

    /// Adds a key's newest version.
    pub(super) fn push(&mut self, key: &Bytes, version: Version) {
        let (_, chunk) = self.at(key);
        chunk.live += usize::from(version.value.is_some());
        match chunk.find(key) {
            Ok(at) => {
                let slot = &mut chunk.slots[at].1;
                chunk.live -= usize::from(slot.now().is_some());
                slot.push(version);
            }
            Err(at) => {
                chunk.slots.insert(at, (key.clone(), Slot::new(version)));
                if chunk.slots.len() > MOST {
                    // Keys that come in order leave full chunks behind.
                    let cut = if at == MOST { MOST } else { MOST / 2 };
                    let rest = chunk.split_off(cut);
                    self.chunks.insert(rest.slots[0].0.clone(), rest);
                }
            }
        }
    }

    /// Drops the versions of a key that no read at `oldest` or later needs.
    pub(super) fn trim(&mut self, key: &[u8], oldest: crate::Revision) {
        let (first, chunk) = self.at(key);
        let Ok(at) = chunk.find(key) else { return };
        if chunk.slots[at].1.trim(oldest) {
            chunk.slots.remove(at);
            if chunk.slots.len() < FEW && !first.is_empty() {
                let first = first.clone();
                self.join(&first);
            }
        }
    }

    /// The keys between two bounds, with all their versions.
    pub(super) fn range<'a>(
        &'a self,
        start: Bound<&'a [u8]>,
        end: Bound<&'a [u8]>,
    ) -> impl Iterator<Item = (&'a Bytes, &'a Slot)> {
        let slots = self.pieces(start, end).flat_map(|(_, slots)| slots);
        slots.map(|(key, slot)| (key, slot))
    }

    /// How many keys between two bounds are there now.
    pub(super) fn count(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> usize {
        let count = |(chunk, slots): (&Chunk, &[(Bytes, Slot)])| {
            let whole = slots.len() == chunk.slots.len();
            if whole { chunk.live } else { live(slots) }
        };
        self.pieces(start, end).map(count).sum()
    }

    /// The chunks between two bounds, each with what lies between them: all of it but at the ends.
    fn pieces<'a>(
        &'a self,
        start: Bound<&'a [u8]>,
        end: Bound<&'a [u8]>,
    ) -> impl Iterator<Item = (&'a Chunk, &'a [(Bytes, Slot)])> {
        let chunk_of = |key| self.chunks.range::<[u8], _>(up_to(key)).next_back();
        let head = match start {
            Bound::Unbounded => self.chunks.first_key_value(),
            Bound::Included(key) | Bound::Excluded(key) => chunk_of(key),
        };
        let tail = match end {
            Bound::Unbounded => self.chunks.last_key_value(),
            Bound::Included(key) | Bound::Excluded(key) => chunk_of(key),
        };
        let (head, _) = head.expect(FIRST);
        let tail = tail.expect(FIRST).0.max(head);
        self.chunks.range::<Bytes, _>(head..=tail).map(move |(first, chunk)| {
            let before_start = |(key, _): &(Bytes, Slot)| is_before(key, start);
            let up_to_end = |(key, _): &(Bytes, Slot)| !is_after(key, end);
            let is = |end| std::ptr::eq(first, end);
            let from = if is(head) { chunk.slots.partition_point(before_start) } else { 0 };
            let len = chunk.slots.len();
            let to = if is(tail) { chunk.slots.partition_point(up_to_end) } else { len };
            (chunk, &chunk.slots[from..to.max(from)])
        })
    }

    /// The chunk where a key is or would be.
    fn at(&mut self, key: &[u8]) -> (&Bytes, &mut Chunk) {
        self.chunks.range_mut::<[u8], _>(up_to(key)).next_back().expect(FIRST)
    }

    /// Joins a chunk to the one before it when both are short.
    fn join(&mut self, first: &Bytes) {
        let chunk = self.chunks.get_mut(first).expect("asked for a chunk that is there");
        let taken = std::mem::take(chunk);
        let before = self.chunks.range_mut::<Bytes, _>(..first).next_back();
        let (_, before) = before.expect(FIRST);
        if taken.slots.len() + before.slots.len() <= MOST / 2 {
            before.slots.extend(taken.slots);
            before.live += taken.live;
            self.chunks.remove(first);
        } else {
            *self.chunks.get_mut(first).expect("it was there above") = taken;
        }
    }
}

fn up_to(key: &[u8]) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (Bound::Unbounded, Bound::Included(key))
}

fn is_before(key: &[u8], start: Bound<&[u8]>) -> bool {
    match start {
        Bound::Unbounded => false,
        Bound::Included(start) => key < start,
        Bound::Excluded(start) => key <= start,
    }
}

fn is_after(key: &[u8], end: Bound<&[u8]>) -> bool {
    match end {
        Bound::Unbounded => false,
        Bound::Included(end) => key > end,
        Bound::Excluded(end) => key >= end,
    }
}

fn live(slots: &[(Bytes, Slot)]) -> usize {
    slots.iter().filter(|(_, slot)| slot.now().is_some()).count()
}

// === impl Chunk ===

impl Chunk {
    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        self.slots.binary_search_by(|(other, _)| other[..].cmp(key))
    }

    /// Takes the slots from `at` on out.
    fn split_off(&mut self, at: usize) -> Self {
        let slots = self.slots.split_off(at);
        let live = live(&slots);
        self.live -= live;
        Self { slots, live }
    }
}

#[cfg(test)]
mod tests;
