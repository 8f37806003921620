//! The objects of one resource in the order of their keys, and their recent past: a plain structure.

use super::index::Index;
use super::ring::Ring;
use crate::storage::kv::decode_event;
use crate::storage::{Change, ListQuery, Page, Resource, Selection, Stats};
use bytes::Bytes;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use tokio::sync::watch;
use windlass_core::Object;
use windlass_core::meta::Str;
use windlass_store::{Event as StoreEvent, KeyRange, Revision};

/// How many objects are looked at to tell how long one is.
const SAMPLE: usize = 8;

/// What a cache knows.
#[derive(Default)]
pub(super) struct State {
    objects: BTreeMap<Bytes, Entry>,
    by_value: Index,
    /// How many there are of each namespace, by the start of their keys.
    counts: FxHashMap<Bytes, u64>,
    /// The last change that is in, or the revision at which it was loaded.
    revision: Revision,
    ring: Ring,
    phase: Phase,
}

/// An object with the value of the field that many watch by.
pub(super) struct Entry {
    pub(super) object: Arc<Object>,
    pub(super) index: Option<Str>,
}

/// Whether there is anything to know yet.
#[derive(Default)]
enum Phase {
    /// Not loaded; nothing is kept.
    #[default]
    Idle,
    /// Being loaded: what happens meanwhile waits here.
    Loading(Vec<(Revision, StoreEvent)>),
    /// In step with the store.
    Ready,
    /// Thrown away: what happened since is not known.
    Closed,
}

// === impl State ===

impl State {
    /// From now on what happens is kept for [`State::fill`].
    pub(super) fn begin(&mut self) {
        self.turn(Phase::Loading(Vec::new()));
    }

    /// Puts it back to idle when a load was not ended.
    pub(super) fn give_up(&mut self) {
        if matches!(self.phase, Phase::Loading(_)) {
            self.phase = Phase::Idle;
        }
    }

    /// Knows nothing any more, for good.
    pub(super) fn close(&mut self) {
        *self = Self { phase: Phase::Closed, ..Self::default() };
    }

    /// Whether it is in step with the store.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Nothing leads out of the end.
    fn turn(&mut self, phase: Phase) -> Phase {
        if matches!(self.phase, Phase::Closed) {
            return Phase::Closed;
        }
        std::mem::replace(&mut self.phase, phase)
    }

    /// Takes what was loaded at a revision, and what happened since.
    pub(super) fn fill(
        &mut self,
        resource: &Resource,
        objects: BTreeMap<Bytes, Entry>,
        by_value: Index,
        revision: Revision,
    ) {
        let Phase::Loading(waiting) = self.turn(Phase::Ready) else { return };
        self.counts.clear();
        for key in objects.keys() {
            *self.counts.entry(directory(key)).or_default() += 1;
        }
        (self.objects, self.by_value) = (objects, by_value);
        self.revision = revision;
        self.ring = Ring::starting_at(revision);
        for (revision, event) in waiting.iter().filter(|(r, _)| *r > revision) {
            // Nobody watches yet.
            self.apply(resource, *revision, event);
        }
    }

    /// Takes the events of one commit, and says what changed.
    pub(super) fn take(
        &mut self,
        resource: &Resource,
        revision: Revision,
        events: &[&StoreEvent],
    ) -> SmallVec<[Arc<Change>; 1]> {
        match &mut self.phase {
            Phase::Idle | Phase::Closed => SmallVec::new(),
            Phase::Loading(waiting) => {
                waiting.extend(events.iter().map(|event| (revision, (*event).clone())));
                SmallVec::new()
            }
            Phase::Ready if self.revision >= revision => SmallVec::new(),
            Phase::Ready => {
                events.iter().filter_map(|event| self.apply(resource, revision, event)).collect()
            }
        }
    }

    fn apply(
        &mut self,
        resource: &Resource,
        revision: Revision,
        event: &StoreEvent,
    ) -> Option<Arc<Change>> {
        let key = event.key().clone();
        self.revision = revision;
        let now = match event {
            // Why not was logged there; an object that can't be read is as good as gone.
            StoreEvent::Put { now, .. } => decode_event(now).ok(),
            StoreEvent::Delete { .. } => None,
        };
        let index = now.as_ref().and_then(|object| resource.indexed(object));
        let before = match &now {
            Some(object) => {
                let entry = Entry { object: object.clone(), index: index.clone() };
                self.objects.insert(key.clone(), entry)
            }
            None => self.objects.remove(&key),
        };
        self.count(&key, before.is_some(), now.is_some());
        let (before, index_before) = before.map(|entry| (entry.object, entry.index)).unzip();
        if now.is_none() && before.is_none() {
            return None;
        }
        let indexes = (index, index_before.flatten());
        self.by_value.update(&key, indexes.1.as_ref(), indexes.0.as_ref());
        let change = Arc::new(Change::new(revision, key, now, before, indexes));
        self.ring.push(change.clone());
        Some(change)
    }

    fn count(&mut self, key: &Bytes, before: bool, now: bool) {
        if before != now {
            let count = self.counts.entry(directory(key)).or_default();
            *count = if now { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.counts.remove(&directory(key));
            }
        }
    }

    /// Whether nothing has changed since this revision.
    pub(super) fn is_as_of(&self, revision: Revision) -> bool {
        self.is_ready() && self.revision <= revision
    }

    /// The revision up to which the objects are complete. A commit is in all caches before it counts as
    /// reached, and in this one at once: the later of the two.
    pub(super) fn complete_at(&self, reached: &watch::Sender<Revision>) -> Revision {
        self.revision.max(*reached.borrow())
    }

    /// How many objects there are, and how long the first few are.
    pub(super) fn stats(&self) -> Option<Stats> {
        if !self.is_ready() {
            return None;
        }
        let lengths = self.objects.values().take(SAMPLE).map(|entry| entry.object.stored().len());
        let (count, sum) = lengths.fold((0, 0), |(count, sum), length| (count + 1, sum + length));
        Some(Stats { objects: self.objects.len() as u64, bytes: (sum / count.max(1)) as u64 })
    }

    pub(super) fn get(&self, key: &Bytes) -> Option<Arc<Object>> {
        self.objects.get(key).map(|entry| entry.object.clone())
    }

    /// Lets go of changes that nobody comes back for any more.
    pub(super) fn trim(&mut self) {
        self.ring.trim();
    }

    /// The changes after a revision; the oldest revision one may ask for when they are gone.
    pub(super) fn past(
        &self,
        revision: Revision,
    ) -> Result<impl Iterator<Item = &Arc<Change>>, Revision> {
        self.ring.after(revision)
    }

    /// A page of everything in a range.
    pub(super) fn all(&self, query: &ListQuery, revision: Revision) -> Page {
        let range = query.range();
        let limit = if query.limit == 0 { usize::MAX } else { query.limit };
        let mut entries = self.range(&range);
        let items: Vec<_> =
            entries.by_ref().take(limit).map(|(_, entry)| entry.object.clone()).collect();
        let next = entries.next().map(|(key, _)| key.clone());
        let remaining = next.as_ref().map(|_| match (&query.start, &query.selection.namespace) {
            (Some(_), _) => 1 + entries.count() as u64,
            (None, None) => (self.objects.len() - items.len()) as u64,
            (None, Some(_)) => {
                self.counts.get(&range.start).map_or(0, |all| all - items.len() as u64)
            }
        });
        Page { items, revision, next, remaining }
    }

    /// What a selection may take, as far as that can be told without looking into objects.
    pub(super) fn candidates(
        &self,
        resource: &Resource,
        selection: &Selection,
        range: &KeyRange,
    ) -> Vec<(Bytes, Arc<Object>)> {
        let named = selection.required("metadata.name");
        let takes = |entry: &Entry| named.is_none_or(|name| entry.object.name() == name);
        let of = |(key, entry): (&Bytes, &Entry)| {
            takes(entry).then(|| (key.clone(), entry.object.clone()))
        };
        if let Some(value) = resource.index.and_then(|field| selection.required(field)) {
            let keys = self.by_value.keys(value).filter(|key| range.contains(key));
            return keys.filter_map(|key| self.objects.get_key_value(key)).filter_map(of).collect();
        }
        if let (Some(name), Some(namespace)) = (named, &selection.namespace) {
            let key = resource.key(Some(namespace), name);
            let found = self.objects.get_key_value(&key).filter(|(key, _)| range.contains(key));
            return found.and_then(of).into_iter().collect();
        }
        self.range(range).filter_map(of).collect()
    }

    fn range(&self, range: &KeyRange) -> impl Iterator<Item = (&Bytes, &Entry)> {
        let (mut start, end) = (&range.start, range.end.as_ref());
        if let Some(end) = end {
            // One that ends before it begins is empty.
            start = start.min(end);
        }
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        self.objects.range::<Bytes, _>((Bound::Included(start), end))
    }
}

/// What a key shares with those of its namespace.
fn directory(key: &Bytes) -> Bytes {
    let end = key.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    key.slice(..end)
}
