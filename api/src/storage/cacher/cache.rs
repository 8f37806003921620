//! The objects of one resource, in the order of their keys.

use super::ring::Ring;
use super::watchers::Watchers;
use crate::storage::errors::too_old;
use crate::storage::kv::{after, decode};
use crate::storage::{
    Change, Event, EventStream, Kv, ListQuery, Page, Resource, Selection, WatchFrom, WatchQuery,
    store_status,
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use tokio::sync::{OnceCell, mpsc, watch};
use windlass_core::Object;
use windlass_core::meta::{Status, Str};
use windlass_store::{Event as StoreEvent, KeyRange, Revision};

/// How many objects are decoded before others get their turn.
const TURN: usize = 512;
/// How many events a batch holds at most.
const BATCH: usize = 256;

/// The cache of one resource. Locks are taken in this order: watchers, state.
pub(super) struct Cache {
    resource: Arc<Resource>,
    loaded: OnceCell<()>,
    state: RwLock<State>,
    watchers: Mutex<Watchers>,
}

struct State {
    objects: BTreeMap<Bytes, Entry>,
    /// The last change that is in, or the revision at which it was loaded.
    revision: Revision,
    ring: Ring,
    phase: Phase,
}

struct Entry {
    object: Arc<Object>,
    index: Option<Str>,
}

enum Phase {
    /// Not loaded; nothing is kept.
    Idle,
    /// Being loaded: what happens meanwhile waits here.
    Loading(Vec<(Revision, StoreEvent)>),
    Ready,
}

/// Puts the cache back to idle when a load is given up.
struct Loading<'a>(&'a Cache);

// === impl Cache ===

impl Cache {
    pub(super) fn new(resource: Arc<Resource>) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            revision: 0,
            ring: Ring::starting_at(0),
            phase: Phase::Idle,
        };
        let (loaded, watchers) = (OnceCell::new(), Mutex::default());
        Self { resource, loaded, state: RwLock::new(state), watchers }
    }

    /// Loads it, once. Whoever waits takes over when the first gives up.
    pub(super) async fn load(&self, kv: &Kv) -> Result<(), Status> {
        self.loaded.get_or_try_init(|| self.fill(kv)).await?;
        Ok(())
    }

    async fn fill(&self, kv: &Kv) -> Result<(), Status> {
        self.state.write().phase = Phase::Loading(Vec::new());
        let guard = Loading(self);
        let range = self.resource.range(None);
        let found = kv.backend().range(&range, 0, None).await.map_err(|e| store_status(&e))?;
        let mut objects = BTreeMap::new();
        for (at, kv) in found.items.iter().enumerate() {
            let object = decode(kv)?;
            let index = self.resource.indexed(&object);
            objects.insert(kv.key.clone(), Entry { object, index });
            if at % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        let mut state = self.state.write();
        state.objects = objects;
        state.revision = found.revision;
        state.ring = Ring::starting_at(found.revision);
        if let Phase::Loading(waiting) = std::mem::replace(&mut state.phase, Phase::Ready) {
            for (revision, event) in waiting.iter().filter(|(r, _)| *r > found.revision) {
                // Nobody watches yet.
                state.apply(&self.resource, *revision, event);
            }
        }
        drop(state);
        drop(guard);
        Ok(())
    }

    /// Takes the events of one commit in and brings them to the watchers.
    pub(super) fn apply(&self, revision: Revision, events: &[&StoreEvent]) {
        let mut watchers = self.watchers.lock();
        let mut changes: SmallVec<[Arc<Change>; 1]> = SmallVec::new();
        {
            let mut state = self.state.write();
            let seen = state.revision;
            match &mut state.phase {
                Phase::Idle => return,
                Phase::Loading(waiting) => {
                    waiting.extend(events.iter().map(|event| (revision, (*event).clone())));
                    return;
                }
                Phase::Ready if seen >= revision => return,
                Phase::Ready => {}
            }
            for event in events {
                changes.extend(state.apply(&self.resource, revision, event));
            }
        }
        for change in &changes {
            watchers.send(&self.resource, change);
        }
    }

    pub(super) fn get(&self, key: &Bytes) -> Option<Arc<Object>> {
        self.state.read().objects.get(key).map(|entry| entry.object.clone())
    }

    pub(super) fn list(&self, query: &ListQuery, reached: &watch::Sender<Revision>) -> Page {
        let state = self.state.read();
        let revision = state.complete_at(reached);
        if query.selection.takes_all() {
            return state.all(query, revision);
        }
        let (items, next) = state.select(&self.resource, &query.selection, query.limit);
        Page { items, revision, next, remaining: None }
    }

    /// A stream of what happens. None when this cache was thrown away.
    pub(super) fn watch(
        &self,
        query: &WatchQuery,
        reached: &watch::Sender<Revision>,
    ) -> Result<Option<EventStream>, Status> {
        let mut watchers = self.watchers.lock();
        let first = self.first_events(query, reached)?;
        let selection = query.selection.clone();
        let queue = watchers.join(&self.resource, selection, query.bookmarks);
        Ok(queue.map(|queue| {
            let first = (!first.is_empty()).then_some(Ok(first));
            stream::iter(first).chain(live(queue)).boxed()
        }))
    }

    fn first_events(
        &self,
        query: &WatchQuery,
        reached: &watch::Sender<Revision>,
    ) -> Result<SmallVec<[Event; 1]>, Status> {
        let state = self.state.read();
        let (resource, selection) = (&self.resource, &query.selection);
        match query.from {
            WatchFrom::After(revision) => {
                let range = selection.range(resource);
                let past =
                    state.ring.after(revision).map_err(|oldest| too_old(revision, oldest))?;
                let mine = past.filter(|change| range.contains(&change.key));
                Ok(mine
                    .filter_map(|change| {
                        let kind = change.kind_for(resource, selection)?;
                        Some(Event::Change(kind, change.clone()))
                    })
                    .collect())
            }
            WatchFrom::Objects { mark_end, .. } => {
                let (items, _) = state.select(resource, selection, 0);
                let mut events: SmallVec<[Event; 1]> =
                    items.into_iter().map(Event::Initial).collect();
                let revision = state.complete_at(reached);
                if mark_end {
                    events.push(Event::Bookmark { revision, initial_events_end: true });
                }
                Ok(events)
            }
        }
    }

    pub(super) fn bookmark(&self, reached: &watch::Sender<Revision>) {
        let mut watchers = self.watchers.lock();
        let revision = self.state.read().complete_at(reached);
        watchers.bookmark(revision);
    }

    /// Ends all watches, for good.
    pub(super) fn close(&self) {
        self.watchers.lock().close();
    }
}

/// What arrives, in as large batches as it arrives in.
fn live(
    queue: mpsc::Receiver<Event>,
) -> impl futures::Stream<Item = Result<SmallVec<[Event; 1]>, Status>> + Send {
    stream::unfold(queue, |mut queue| async move {
        let first = queue.recv().await?;
        let mut batch: SmallVec<[Event; 1]> = SmallVec::from_buf([first]);
        while batch.len() < BATCH
            && let Ok(event) = queue.try_recv()
        {
            batch.push(event);
        }
        Some((Ok(batch), queue))
    })
}

// === impl State ===

impl State {
    /// The revision up to which the objects are complete. A commit is in all caches before it counts as
    /// reached, and in this one at once: the later of the two.
    fn complete_at(&self, reached: &watch::Sender<Revision>) -> Revision {
        self.revision.max(*reached.borrow())
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
            StoreEvent::Put { now, .. } => decode(now).ok(),
            StoreEvent::Delete { .. } => None,
        };
        let before = match &now {
            Some(object) => {
                let index = resource.indexed(object);
                self.objects.insert(key.clone(), Entry { object: object.clone(), index })
            }
            None => self.objects.remove(&key),
        };
        let before = before.map(|entry| entry.object);
        if now.is_none() && before.is_none() {
            return None;
        }
        let change = Arc::new(Change::new(resource, revision, key, now, before));
        self.ring.push(change.clone());
        Some(change)
    }

    fn all(&self, query: &ListQuery, revision: Revision) -> Page {
        let range = query.selection.range(&query.resource);
        let limit = if query.limit == 0 { usize::MAX } else { query.limit };
        let mut entries = self.range(&range);
        let items: Vec<_> =
            entries.by_ref().take(limit).map(|(_, entry)| entry.object.clone()).collect();
        let next = entries.next().map(|(key, _)| key.clone());
        let remaining = next.as_ref().map(|_| 1 + entries.count() as u64);
        Page { items, revision, next, remaining }
    }

    /// The objects that a selection takes, and the key where the rest begins.
    fn select(
        &self,
        resource: &Resource,
        selection: &Selection,
        limit: usize,
    ) -> (Vec<Arc<Object>>, Option<Bytes>) {
        let indexed = resource.index.and_then(|field| selection.required(field));
        let mut items = Vec::new();
        let range = selection.range(resource);
        let mut entries = self.range(&range);
        for (key, entry) in entries.by_ref() {
            if indexed.is_some_and(|value| entry.index.as_deref() != Some(value))
                || !selection.matches(resource, &entry.object)
            {
                continue;
            }
            items.push(entry.object.clone());
            if limit > 0 && items.len() == limit {
                return (items, entries.next().map(|_| after(key)));
            }
        }
        (items, None)
    }

    fn range(&self, range: &KeyRange) -> impl Iterator<Item = (&Bytes, &Entry)> {
        let start = Bound::Included(range.start.clone());
        let end = range.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
        self.objects.range((start, end))
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.write();
        if matches!(state.phase, Phase::Loading(_)) {
            state.phase = Phase::Idle;
        }
    }
}
