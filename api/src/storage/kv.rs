//! Storage straight over a store: each object is decoded again for each read.

use super::change::Change;
use super::errors::{store_status, too_old};
use super::{
    ChangeKind, Event, EventStream, ListQuery, Page, ReadVersion, Resource, Selection, Storage,
    WatchFrom, WatchQuery,
};
use crate::metrics::StoreTimes;
use crate::telemetry;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream};
use smallvec::SmallVec;
use std::sync::Arc;
use tokio::time::Instant;
use tracing::Instrument;
use windlass_core::Object;
use windlass_core::meta::Status;
use windlass_store::{
    Backend, Batch, Committed, Error, KeyRange, KeyValue, RangeResult, Revision, Txn,
};

/// How many keys are read at once when a selector may leave many of them out.
const CHUNK: usize = 512;

/// Objects in a store, without a cache.
#[derive(Clone)]
pub struct Kv {
    backend: Arc<dyn Backend>,
    times: Option<StoreTimes>,
}

// === impl Kv ===

impl Kv {
    /// Over a store.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, times: None }
    }

    /// The same; how long the store takes is noted.
    pub(crate) fn timed(backend: Arc<dyn Backend>, times: StoreTimes) -> Self {
        Self { backend, times: Some(times) }
    }

    async fn time<T>(&self, operation: &'static str, work: impl Future<Output = T>) -> T {
        let Some(times) = &self.times else { return work.await };
        let start = Instant::now();
        let result = work.instrument(telemetry::step(operation)).await;
        times.note(operation, start.elapsed());
        result
    }

    pub(super) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// A list at a past version.
    async fn page(&self, query: &ListQuery, at: Option<Revision>) -> Result<Page, Status> {
        let range = query.range();
        if range.is_empty() {
            let revision = at.unwrap_or(self.revision().await?);
            return Ok(Page { revision, ..Page::default() });
        }
        if query.selection.takes_all() {
            let found = self.range(&range, query.limit, at).await?;
            return whole_page(found);
        }
        self.selected_page(query, range, at).await
    }

    /// Reads on until enough objects were taken. All of it at one version.
    async fn selected_page(
        &self,
        query: &ListQuery,
        mut range: KeyRange,
        mut at: Option<Revision>,
    ) -> Result<Page, Status> {
        let mut page = Page::default();
        loop {
            let found = self.range(&range, CHUNK, at).await?;
            page.revision = *at.insert(found.revision);
            let last = found.items.last().map(|kv| after(&kv.key));
            let mut items = found.items.into_iter();
            for kv in items.by_ref() {
                let object = decode(&kv)?;
                if query.selection.matches(&query.resource, &object) {
                    page.items.push(object);
                }
                if query.limit > 0 && page.items.len() == query.limit {
                    let more = found.remaining > 0 || items.next().is_some();
                    page.next = Some(after(&kv.key)).filter(|_| more);
                    return Ok(page);
                }
            }
            match last {
                Some(start) if found.remaining > 0 => range.start = start,
                _ => return Ok(page),
            }
        }
    }

    async fn range(
        &self,
        range: &KeyRange,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<RangeResult, Status> {
        self.time("list", self.backend.range(range, limit, at))
            .await
            .map_err(|error| store_status(&error))
    }

    pub(super) async fn revision(&self) -> Result<Revision, Status> {
        self.backend.current_revision().await.map_err(|error| store_status(&error))
    }
}

#[async_trait]
impl Storage for Kv {
    async fn get(
        &self,
        _: &Arc<Resource>,
        key: &Bytes,
        at: ReadVersion,
    ) -> Result<Option<Arc<Object>>, Status> {
        let at = match at {
            ReadVersion::Exact(revision) => Some(revision),
            ReadVersion::Newest | ReadVersion::Any | ReadVersion::NotOlderThan(_) => None,
        };
        let found = self
            .time("get", self.backend.get(key, at))
            .await
            .map_err(|error| store_status(&error))?;
        found.as_ref().map(decode).transpose()
    }

    async fn list(&self, query: &ListQuery) -> Result<Page, Status> {
        let at = match query.at {
            ReadVersion::Exact(revision) => Some(revision),
            ReadVersion::Newest | ReadVersion::Any => None,
            ReadVersion::NotOlderThan(asked) => {
                let current = self.revision().await?;
                if asked > current {
                    return Err(super::errors::too_large(asked, current));
                }
                None
            }
        };
        self.page(query, at).await
    }

    async fn watch(&self, query: WatchQuery) -> Result<EventStream, Status> {
        let (initial, after) = self.initial(&query).await?;
        let range = query.selection.range(&query.resource);
        let batches = self.backend.watch(range, after).await.map_err(|error| match error {
            Error::Compacted { compacted } => too_old(after, compacted + 1),
            other => store_status(&other),
        })?;
        let (resource, selection) = (query.resource, query.selection);
        let changes = batches.filter_map(move |batch| {
            let events = batch
                .map_err(|error| store_status(&error))
                .and_then(|batch| select(&batch, &resource, &selection))
                .transpose();
            std::future::ready(events)
        });
        Ok(stream::iter(initial).chain(changes).boxed())
    }

    async fn commit(&self, txn: Txn) -> windlass_store::Result<Committed> {
        self.time("txn", self.backend.commit(txn)).await
    }
}

type Events = SmallVec<[Event; 1]>;

impl Kv {
    async fn initial(
        &self,
        query: &WatchQuery,
    ) -> Result<(Option<Result<Events, Status>>, Revision), Status> {
        let (at, mark_end) = match query.from {
            WatchFrom::After(revision) => return Ok((None, revision)),
            WatchFrom::Now { .. } => return Ok((None, self.revision().await?)),
            WatchFrom::Objects { at, mark_end } => (at, mark_end),
        };
        let (resource, selection) = (query.resource.clone(), query.selection.clone());
        let page = self.list(&ListQuery { resource, selection, at, limit: 0, start: None }).await?;
        let mut events: Events = page.items.into_iter().map(Event::Initial).collect();
        if mark_end {
            events.push(Event::Bookmark { revision: page.revision, initial_events_end: true });
        }
        Ok((Some(Ok(events)), page.revision))
    }
}

/// The events of a commit that a selection takes; none when there are none.
fn select(
    batch: &Batch,
    resource: &Resource,
    selection: &Selection,
) -> Result<Option<Events>, Status> {
    let mut events = Events::new();
    for event in batch.events.iter() {
        let change = Arc::new(change(batch.revision, event)?);
        let kind: Option<ChangeKind> = change.kind_for(resource, selection);
        events.extend(kind.map(|kind| Event::Change(kind, change)));
    }
    Ok(Some(events).filter(|events| !events.is_empty()))
}

fn change(revision: Revision, event: &windlass_store::Event) -> Result<Change, Status> {
    let key = event.key().clone();
    let (now, before) = match event {
        windlass_store::Event::Put { now, previous } => {
            (Some(decode_event(now)?), previous.as_ref().map(decode_event).transpose()?)
        }
        windlass_store::Event::Delete { previous } => (None, Some(decode_event(previous)?)),
    };
    Ok(Change::new(revision, key, now, before, (None, None)))
}

/// An object that was stored some time ago. Its bytes are shared with the store, and looked at from end to end.
pub(super) fn decode(kv: &KeyValue) -> Result<Arc<Object>, Status> {
    let object = decode_event(kv)?;
    if object.is_whole() { Ok(object) } else { Err(unreadable(kv, &"it was cut off")) }
}

/// An object that is stored just now. Its bytes are shared with the store.
pub(super) fn decode_event(kv: &KeyValue) -> Result<Arc<Object>, Status> {
    let object = Object::from_stored(kv.value.clone(), kv.mod_revision);
    object.map(Arc::new).map_err(|error| unreadable(kv, &error))
}

fn unreadable(kv: &KeyValue, why: &dyn std::fmt::Display) -> Status {
    let key = String::from_utf8_lossy(&kv.key);
    tracing::error!(%key, %why, "an object in the store can't be read");
    Status::internal(format!("object at {key} can't be read: {why}"))
}

fn whole_page(found: RangeResult) -> Result<Page, Status> {
    let next = found.items.last().map(|kv| after(&kv.key)).filter(|_| found.remaining > 0);
    let items = found.items.iter().map(decode).collect::<Result<_, _>>()?;
    let remaining = Some(found.remaining).filter(|remaining| *remaining > 0);
    Ok(Page { items, revision: found.revision, next, remaining })
}

/// The first key after another.
pub(super) fn after(key: &Bytes) -> Bytes {
    [key, &b"\0"[..]].concat().into()
}
