//! All who watch one resource, found by what they watch.

use crate::storage::{Change, Event, Resource, Selection};
use rustc_hash::FxHashMap;
use std::sync::Arc;
use tokio::sync::mpsc;
use windlass_store::Revision;

/// How many events may wait for a watcher. One that is slower is cut off; it watches again from where it was.
const QUEUE: usize = 4096;

/// The watchers of one resource.
#[derive(Default)]
pub(super) struct Watchers {
    /// Those that ask for one value of the indexed field, by the value.
    indexed: FxHashMap<Box<str>, Vec<Watcher>>,
    /// Those that ask for one name.
    named: FxHashMap<Box<str>, Vec<Watcher>>,
    others: Vec<Watcher>,
    /// The cache was thrown away: nobody may join.
    closed: bool,
}

struct Watcher {
    selection: Selection,
    prefix: Box<[u8]>,
    bookmarks: bool,
    queue: mpsc::Sender<Event>,
}

// === impl Watchers ===

impl Watchers {
    /// Joins. None when the cache was thrown away.
    pub(super) fn join(
        &mut self,
        resource: &Resource,
        selection: Selection,
        bookmarks: bool,
    ) -> Option<mpsc::Receiver<Event>> {
        if self.closed {
            return None;
        }
        let (queue, receiver) = mpsc::channel(QUEUE);
        let prefix = selection.range(resource).start.to_vec().into();
        let watcher = Watcher { selection, prefix, bookmarks, queue };
        self.place(resource, &watcher.selection).push(watcher);
        Some(receiver)
    }

    fn place(&mut self, resource: &Resource, selection: &Selection) -> &mut Vec<Watcher> {
        if let Some(value) = resource.index.and_then(|field| selection.required(field)) {
            return self.indexed.entry(value.into()).or_default();
        }
        match selection.required("metadata.name") {
            Some(name) => self.named.entry(name.into()).or_default(),
            None => &mut self.others,
        }
    }

    /// Brings a change to everyone concerned. Never waits.
    pub(super) fn send(&mut self, resource: &Resource, change: &Arc<Change>) {
        let mut send = |watchers: &mut Vec<Watcher>| {
            watchers.retain(|watcher| watcher.send(resource, change));
        };
        send(&mut self.others);
        let object = change.now.as_ref().or(change.before.as_ref());
        if let Some(name) = object.map(|object| object.name()) {
            with(&mut self.named, name, &mut send);
        }
        let (now, before) = (&change.index_now, &change.index_before);
        for value in now.iter().chain(before.iter().filter(|value| Some(*value) != now.as_ref())) {
            with(&mut self.indexed, value, &mut send);
        }
    }

    /// Says how far everything came, and lets those go who left.
    pub(super) fn bookmark(&mut self, revision: Revision) {
        let bookmark = Event::Bookmark { revision, initial_events_end: false };
        let tell = |watcher: &Watcher| {
            // A full queue needs no bookmark: its reader is not waiting for news.
            !watcher.queue.is_closed()
                && (!watcher.bookmarks
                    || !matches!(
                        watcher.queue.try_send(bookmark.clone()),
                        Err(mpsc::error::TrySendError::Closed(_))
                    ))
        };
        self.others.retain(tell);
        for map in [&mut self.indexed, &mut self.named] {
            map.retain(|_, watchers| {
                watchers.retain(tell);
                !watchers.is_empty()
            });
        }
    }

    /// Ends all streams, for good.
    pub(super) fn close(&mut self) {
        *self = Self { closed: true, ..Self::default() };
    }
}

fn with(
    map: &mut FxHashMap<Box<str>, Vec<Watcher>>,
    value: &str,
    send: &mut impl FnMut(&mut Vec<Watcher>),
) {
    if let Some(watchers) = map.get_mut(value) {
        send(watchers);
        if watchers.is_empty() {
            map.remove(value);
        }
    }
}

// === impl Watcher ===

impl Watcher {
    /// Whether it stays: one that left or is too slow does not.
    fn send(&self, resource: &Resource, change: &Arc<Change>) -> bool {
        if !change.key.starts_with(&self.prefix) {
            return true;
        }
        let kind = if self.selection.takes_all() {
            Some(change.kind())
        } else {
            change.kind_for(resource, &self.selection)
        };
        kind.is_none_or(|kind| self.queue.try_send(Event::Change(kind, change.clone())).is_ok())
    }
}
