//! The cache of one resource, and who watches it.

use super::index::Index;
use super::state::{Entry, State};
use super::watchers::Watchers;
use crate::storage::errors::too_old;
use crate::storage::kv::{after, decode};
use crate::storage::{
    Change, Event, EventStream, Kv, ListQuery, Page, Resource, Selection, Stats, WatchFrom,
    WatchQuery, store_status,
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{OnceCell, mpsc, watch};
use windlass_core::Object;
use windlass_core::meta::Status;
use windlass_store::{Event as StoreEvent, Revision};

/// How many objects are decoded before others get their turn.
const TURN: usize = 512;
/// How many events a batch holds at most.
const BATCH: usize = 256;

/// The cache of one resource. Locks are taken in this order: watchers, state. Selectors that must look
/// into objects are asked when no lock is held.
pub(super) struct Cache {
    resource: Arc<Resource>,
    loaded: OnceCell<()>,
    state: RwLock<State>,
    watchers: Mutex<Watchers>,
}

/// What a watch begins with.
enum First {
    /// What happened since.
    Past(Vec<Arc<Change>>),
    /// What is there.
    Objects { candidates: Vec<(Bytes, Arc<Object>)>, revision: Revision, mark_end: bool },
}

type Events = SmallVec<[Event; 1]>;

/// Puts the cache back to idle when a load is given up.
struct Loading<'a>(&'a Cache);

// === impl Cache ===

impl Cache {
    pub(super) fn new(resource: Arc<Resource>) -> Self {
        let (loaded, state, watchers) = (OnceCell::new(), RwLock::default(), Mutex::default());
        Self { resource, loaded, state, watchers }
    }

    /// Loads it, once. Whoever waits takes over when the first gives up.
    pub(super) async fn load(&self, kv: &Kv) -> Result<(), Status> {
        self.loaded.get_or_try_init(|| self.fill(kv)).await?;
        Ok(())
    }

    async fn fill(&self, kv: &Kv) -> Result<(), Status> {
        self.state.write().begin();
        let guard = Loading(self);
        let range = self.resource.range(None);
        let found = kv.backend().range(&range, 0, None).await.map_err(|e| store_status(&e))?;
        let (mut objects, mut by_value) = (BTreeMap::new(), Index::default());
        for (at, kv) in found.items.iter().enumerate() {
            let object = decode(kv)?;
            let index = self.resource.indexed(&object);
            by_value.update(&kv.key, None, index.as_ref());
            objects.insert(kv.key.clone(), Entry { object, index });
            if at % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        self.state.write().fill(&self.resource, objects, by_value, found.revision);
        drop(guard);
        Ok(())
    }

    /// Takes the events of one commit in and brings them to the watchers.
    pub(super) fn apply(&self, revision: Revision, events: &[&StoreEvent]) {
        let mut watchers = self.watchers.lock();
        let changes = self.state.write().take(&self.resource, revision, events);
        for change in &changes {
            watchers.send(&self.resource, change);
        }
    }

    /// An object, if it is there. None when this cache was thrown away.
    pub(super) fn get(&self, key: &Bytes) -> Option<Option<Arc<Object>>> {
        let state = self.state.read();
        state.is_ready().then(|| state.get(key))
    }

    /// How much is in it, once it is loaded.
    pub(super) fn stats(&self) -> Option<Stats> {
        self.state.read().stats()
    }

    /// A list as it is now. None when this cache was thrown away: it does not hear of what was reached since.
    pub(super) fn list(
        &self,
        query: &ListQuery,
        reached: &watch::Sender<Revision>,
    ) -> Option<Page> {
        let state = self.state.read();
        state.is_ready().then(|| {
            let revision = state.complete_at(reached);
            self.listed(state, query, revision)
        })
    }

    /// A list as it was at a revision that was reached; none when something has changed since: then only the
    /// store knows.
    pub(super) fn list_at(&self, query: &ListQuery, revision: Revision) -> Option<Page> {
        let state = self.state.read();
        state.is_as_of(revision).then(|| self.listed(state, query, revision))
    }

    fn listed(
        &self,
        state: RwLockReadGuard<'_, State>,
        query: &ListQuery,
        revision: Revision,
    ) -> Page {
        if query.selection.takes_all() {
            return state.all(query, revision);
        }
        let candidates = state.candidates(&self.resource, &query.selection, &query.range());
        drop(state);
        self.page(candidates, query, revision)
    }

    /// As many of the candidates as were asked for.
    fn page(
        &self,
        candidates: Vec<(Bytes, Arc<Object>)>,
        query: &ListQuery,
        revision: Revision,
    ) -> Page {
        let mut items = Vec::new();
        let mut candidates = candidates.into_iter();
        for (key, object) in candidates.by_ref() {
            if query.selection.matches(&self.resource, &object) {
                items.push(object);
                if items.len() == query.limit {
                    let next = candidates.next().map(|_| after(&key));
                    return Page { items, revision, next, remaining: None };
                }
            }
        }
        Page { items, revision, next: None, remaining: None }
    }

    /// A stream of what happens. None when this cache was thrown away.
    pub(super) fn watch(
        &self,
        query: &WatchQuery,
        reached: &watch::Sender<Revision>,
    ) -> Result<Option<EventStream>, Status> {
        let mut watchers = self.watchers.lock();
        let first = self.first(query, reached)?;
        let selection = query.selection.clone();
        let queue = watchers.join(&self.resource, selection, query.bookmarks);
        drop(watchers);
        Ok(queue.map(|queue| {
            let first = first.events(&self.resource, &query.selection);
            stream::iter(batches(first).map(Ok)).chain(live(queue)).boxed()
        }))
    }

    fn first(
        &self,
        query: &WatchQuery,
        reached: &watch::Sender<Revision>,
    ) -> Result<First, Status> {
        let state = self.state.read();
        match query.from {
            WatchFrom::After(revision) => {
                let past = state.past(revision).map_err(|oldest| too_old(revision, oldest))?;
                Ok(First::Past(past.cloned().collect()))
            }
            WatchFrom::Objects { mark_end, .. } => {
                let range = query.selection.range(&self.resource);
                let candidates = state.candidates(&self.resource, &query.selection, &range);
                let revision = state.complete_at(reached);
                Ok(First::Objects { candidates, revision, mark_end })
            }
            WatchFrom::Now { .. } => Ok(First::Past(Vec::new())),
        }
    }

    /// Says how far everything came, and forgets what is long past.
    pub(super) fn bookmark(&self, reached: &watch::Sender<Revision>) {
        let mut watchers = self.watchers.lock();
        let mut state = self.state.write();
        state.trim();
        let revision = state.complete_at(reached);
        drop(state);
        watchers.bookmark(revision);
    }

    /// Ends all watches and answers nothing more, for good.
    pub(super) fn close(&self) {
        let mut watchers = self.watchers.lock();
        self.state.write().close();
        watchers.close();
    }
}

// === impl First ===

impl First {
    fn events(self, resource: &Resource, selection: &Selection) -> Events {
        match self {
            Self::Past(changes) => {
                let range = selection.range(resource);
                let mine = changes.into_iter().filter(|change| range.contains(&change.key));
                mine.filter_map(|change| {
                    let kind = change.kind_for(resource, selection)?;
                    Some(Event::Change(kind, change))
                })
                .collect()
            }
            Self::Objects { candidates, revision, mark_end } => {
                let objects = candidates.into_iter().map(|(_, object)| object);
                let mine = objects.filter(|object| selection.matches(resource, object));
                let mark = Event::Bookmark { revision, initial_events_end: true };
                mine.map(Event::Initial).chain(mark_end.then_some(mark)).collect()
            }
        }
    }
}

/// Many events in batches, so that they need not be encoded all at once.
fn batches(events: Events) -> impl Iterator<Item = Events> + Send {
    let mut events = events.into_iter();
    std::iter::from_fn(move || {
        let batch: Events = events.by_ref().take(BATCH).collect();
        (!batch.is_empty()).then_some(batch)
    })
}

/// What arrives, in as large batches as it arrives in.
fn live(
    queue: mpsc::Receiver<Event>,
) -> impl futures::Stream<Item = Result<Events, Status>> + Send {
    stream::unfold(queue, |mut queue| async move {
        let first = queue.recv().await?;
        let mut batch = Events::from_buf([first]);
        while batch.len() < BATCH
            && let Ok(event) = queue.try_recv()
        {
            batch.push(event);
        }
        Some((Ok(batch), queue))
    })
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.state.write().give_up();
    }
}
