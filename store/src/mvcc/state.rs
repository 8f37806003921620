//! Keys, history and events: a plain structure without locks or waiting.

use super::Pending;
use super::keys::Keys;
use super::leases::{LeaseChange, Leases};
use super::slot::Version;
use crate::{Batch, Error, Event, KeyRange, KeyValue, Result, Revision};
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// Room for so many commits is kept when history is forgotten.
const CAPACITY: usize = 1024;
/// The keys of a range at a past revision are counted by what so many commits changed since.
const FEW: u64 = 4096;
/// The revision of a store in which nothing was ever written.
const EMPTY: Revision = 1;

/// All that readers can see.
pub(crate) struct State {
    keys: Keys,
    /// Every commit that is not forgotten, one for each revision without a hole up to `revision`.
    log: VecDeque<Batch>,
    revision: Revision,
    /// The last revision that can't be read any more.
    compacted: Revision,
    leases: Leases,
    closed: bool,
}

/// A walk over a range at one revision, a piece at a time.
pub(super) struct Scan<'a> {
    start: Bound<Bytes>,
    end: Bound<&'a [u8]>,
    revision: Revision,
    done: bool,
}

// === impl Scan ===

impl<'a> Scan<'a> {
    pub(super) fn new(range: &'a KeyRange, revision: Revision) -> Self {
        let end = range.end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(&end[..]));
        let start = Bound::Included(range.start.clone());
        Self { start, end, revision, done: range.is_empty() }
    }

    /// All keys after `key`, or all.
    pub(super) fn after(key: Option<&Bytes>, revision: Revision) -> Self {
        let start = key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        Self { start, end: Bound::Unbounded, revision, done: false }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }
}

// === impl State ===

impl Default for State {
    fn default() -> Self {
        Self::restored(Vec::new(), Leases::default(), EMPTY)
    }
}

impl State {
    /// The state at a revision, from its keys in order and the leases they name.
    pub(crate) fn restored(keys: Vec<KeyValue>, mut leases: Leases, revision: Revision) -> Self {
        keys.iter().for_each(|kv| leases.moved(&kv.key, None, kv.lease));
        Self {
            keys: keys.into_iter().collect(),
            log: VecDeque::new(),
            revision,
            compacted: revision - 1,
            leases,
            closed: false,
        }
    }

    pub(crate) fn leases(&self) -> &Leases {
        &self.leases
    }

    pub(crate) fn leases_mut(&mut self) -> &mut Leases {
        &mut self.leases
    }

    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    /// The revision to read for `at`.
    pub(super) fn readable(&self, at: Option<Revision>) -> Result<Revision> {
        match at {
            _ if self.closed => Err(Error::Closed),
            None => Ok(self.revision),
            Some(asked) if asked > self.revision => {
                Err(Error::Future { asked, current: self.revision })
            }
            Some(at) if at <= self.compacted => Err(Error::Compacted { compacted: self.compacted }),
            Some(at) => Ok(at),
        }
    }

    pub(super) fn get(&self, key: &[u8], at: Option<Revision>) -> Result<Option<KeyValue>> {
        let at = self.readable(at)?;
        let found = self.keys.get(key);
        Ok(found.and_then(|(key, slot)| slot.at(at)?.key_value(key)))
    }

    /// What stands under a key now.
    pub(super) fn now(&self, key: &[u8]) -> Option<KeyValue> {
        let (key, slot) = self.keys.get(key)?;
        slot.now()?.key_value(key)
    }

    /// Goes on with a scan: looks at `chunk` keys at most and hands `want` at most to `each`.
    pub(super) fn scan(
        &self,
        scan: &mut Scan<'_>,
        chunk: usize,
        mut want: usize,
        mut each: impl FnMut(KeyValue),
    ) -> Result<()> {
        self.walk(scan, chunk, |key, version| {
            each(version.key_value(key).expect("only versions with a value are visited"));
            want -= 1;
            want > 0
        })
    }

    /// Ends a scan: counts what is left of it, by the keys there are now and what changed since. `None`
    /// when that is more than looking at every key would be.
    pub(super) fn count_rest(&self, scan: &mut Scan<'_>) -> Result<Option<u64>> {
        let revision = self.readable(Some(scan.revision))?;
        if self.revision - revision > FEW {
            return Ok(None);
        }
        let start = scan.start.as_ref().map(|key| &key[..]);
        let mut count = self.keys.count(start, scan.end) as u64;
        let rest = (start, scan.end);
        for event in self.since(revision).flat_map(|batch| batch.events.iter()) {
            match event {
                _ if !RangeBounds::<[u8]>::contains(&rest, &event.key()[..]) => {}
                Event::Put { previous: Some(_), .. } => {}
                Event::Put { previous: None, .. } => count -= 1,
                Event::Delete { .. } => count += 1,
            }
        }
        scan.done = true;
        Ok(Some(count))
    }

    /// Goes on with a scan: counts the keys among the next `chunk`.
    pub(super) fn count(&self, scan: &mut Scan<'_>, chunk: usize) -> Result<u64> {
        let mut count = 0;
        self.walk(scan, chunk, |_, _| {
            count += 1;
            true
        })?;
        Ok(count)
    }

    /// Visits the keys that are there among the next `chunk`, until `visit` has enough.
    fn walk(
        &self,
        scan: &mut Scan<'_>,
        chunk: usize,
        mut visit: impl FnMut(&Bytes, &Version) -> bool,
    ) -> Result<()> {
        let revision = self.readable(Some(scan.revision))?;
        let start = scan.start.as_ref().map(|key| &key[..]);
        let mut looked = 0;
        let mut last = None;
        let mut keys = self.keys.range(start, scan.end);
        scan.done = loop {
            if looked == chunk {
                break false;
            }
            let Some((key, slot)) = keys.next() else {
                break true;
            };
            looked += 1;
            last = Some(key);
            if slot.at(revision).is_some_and(|version| !visit(key, version)) {
                break false;
            }
        };
        drop(keys);
        if let Some(last) = last {
            scan.start = Bound::Excluded(last.clone());
        }
        Ok(())
    }

    /// Puts a group in place: it must have been decided on top of this state.
    pub(crate) fn apply_group(&mut self, group: &Pending) {
        let mut leases = group.leases().iter().peekable();
        for batch in group.batches() {
            while let Some(change) = leases.next_if(|change| change.after < batch.revision) {
                self.apply_lease(change);
            }
            self.apply(batch);
        }
        leases.for_each(|change| self.apply_lease(change));
    }

    /// Makes or forgets a lease; the keys of one that goes must be gone.
    pub(crate) fn apply_lease(&mut self, change: &LeaseChange) {
        match change.grant {
            Some(grant) => self.leases.grant(change.id, grant),
            None => self.leases.revoke(change.id),
        }
    }

    /// Puts a commit in place: it must be the one after the last.
    fn apply(&mut self, batch: &Batch) {
        debug_assert_eq!(batch.revision, self.revision + 1);
        self.revision = batch.revision;
        for event in batch.events.iter() {
            self.apply_event(event, batch.revision);
        }
        self.log.push_back(batch.clone());
    }

    fn apply_event(&mut self, event: &Event, revision: Revision) {
        let (key, version) = match event {
            Event::Put { now, previous } => {
                let before = previous.as_ref().and_then(|kv| kv.lease);
                self.leases.moved(&now.key, before, now.lease);
                (&now.key, Version::from(now))
            }
            Event::Delete { previous } => {
                self.leases.moved(&previous.key, previous.lease, None);
                let (create_revision, mod_revision) = (previous.create_revision, revision);
                let version =
                    Version { value: None, create_revision, mod_revision, version: 0, lease: None };
                (&previous.key, version)
            }
        };
        self.keys.push(key, version);
    }

    /// Adds to `out` what touched the range in the next `most` commits after `after`. How far it came.
    pub(super) fn replay(
        &self,
        range: &KeyRange,
        after: Revision,
        most: usize,
        out: &mut VecDeque<Batch>,
    ) -> Result<Revision> {
        if after > self.readable(None)? {
            return Err(Error::Future { asked: after, current: self.revision });
        }
        let forgotten = self.forgotten();
        if after < forgotten {
            return Err(Error::Compacted { compacted: forgotten });
        }
        let fresh = usize::try_from(self.revision - after).expect("the log fits in memory");
        let first = self.log.len() - fresh;
        let next = self.log.range(first..first + fresh.min(most));
        out.extend(next.filter_map(|batch| select(batch, range)));
        Ok(after + fresh.min(most) as u64)
    }

    /// Whether a commit after `since` touched the range.
    pub(super) fn changed(&self, range: &KeyRange, since: Revision) -> Result<bool> {
        if since < self.forgotten() {
            return Err(Error::Compacted { compacted: self.forgotten() });
        }
        Ok(self.since(since).any(|batch| touches(batch, range)))
    }

    /// The commits after a revision that is not forgotten, the latest first.
    fn since(&self, revision: Revision) -> impl Iterator<Item = &Batch> {
        self.log.iter().rev().take_while(move |batch| batch.revision > revision)
    }

    /// The last revision whose changes are gone.
    fn forgotten(&self) -> Revision {
        (self.revision - self.log.len() as u64).max(self.compacted)
    }

    pub(super) fn can_compact(&self, up_to: Revision) -> Result<bool> {
        if up_to > self.readable(None)? {
            return Err(Error::Future { asked: up_to, current: self.revision });
        }
        Ok(up_to.min(self.revision - 1) > self.compacted)
    }

    /// Makes revisions up to `up_to` unreadable; what stands now can always be read. Then
    /// [`State::forget`] frees the memory.
    pub(crate) fn compact(&mut self, up_to: Revision) -> Result<()> {
        if self.can_compact(up_to)? {
            self.compacted = up_to.min(self.revision - 1);
        }
        Ok(())
    }

    /// Forgets up to `most` compacted commits and hands them over to be dropped; none when it is done.
    pub(crate) fn forget(&mut self, most: usize) -> Vec<Batch> {
        let compacted = self.compacted;
        let gone = self.log.iter().take(most).take_while(|b| b.revision <= compacted).count();
        let batches: Vec<Batch> = self.log.drain(..gone).collect();
        for event in batches.iter().flat_map(|batch| batch.events.iter()) {
            self.keys.trim(event.key(), compacted + 1);
        }
        if self.log.capacity() > 4 * self.log.len().max(CAPACITY) {
            self.log.shrink_to(2 * self.log.len());
        }
        batches
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}

/// Whether a commit touches the range.
pub(super) fn touches(batch: &Batch, range: &KeyRange) -> bool {
    batch.events.iter().any(|event| range.contains(event.key()))
}

/// The part of a commit that touches the range: the very same events when that is all of them.
pub(crate) fn select(batch: &Batch, range: &KeyRange) -> Option<Batch> {
    let wanted = |event: &&Event| range.contains(event.key());
    let count = batch.events.iter().filter(wanted).count();
    if count == batch.events.len() {
        return Some(batch.clone());
    }
    let events: Arc<[Event]> = match count {
        0 => return None,
        _ => batch.events.iter().filter(wanted).cloned().collect(),
    };
    Some(Batch { revision: batch.revision, events })
}
