//! What happened to one object, shared by all who watch.

use super::{Resource, Selection};
use bytes::Bytes;
use futures::stream::BoxStream;
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};
use windlass_core::Object;
use windlass_core::client::WatchEvent;
use windlass_core::meta::{Status, Str};
use windlass_store::Revision;

/// Batches of events. Ends without an error when the watcher was too slow or the server goes: watch
/// again from the last version seen.
pub type EventStream = BoxStream<'static, Result<SmallVec<[Event; 1]>, Status>>;

/// One commit's effect on one object.
pub struct Change {
    /// The commit.
    pub revision: Revision,
    /// The object's key.
    pub key: Bytes,
    /// The object after it; none when it went.
    pub now: Option<Arc<Object>>,
    /// The object before it; none when it is new.
    pub before: Option<Arc<Object>>,
    pub(super) index_now: Option<Str>,
    pub(super) index_before: Option<Str>,
    last: OnceLock<Arc<Object>>,
    frames: OnceLock<Box<[OnceLock<Bytes>; 6]>>,
}

/// What a change is to one who watches a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It came into the selection.
    Added,
    /// It changed.
    Modified,
    /// It left the selection.
    Deleted,
}

/// How a watcher wants its events, as far as it can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFormat {
    /// A line of JSON.
    Json,
    /// A frame of Kubernetes' protobuf.
    Protobuf,
}

/// What a watcher is told.
#[derive(Clone)]
pub enum Event {
    /// Something changed.
    Change(ChangeKind, Arc<Change>),
    /// An object that was there at the start.
    Initial(Arc<Object>),
    /// Nothing that matters changed up to this version.
    Bookmark {
        /// The version.
        revision: Revision,
        /// All objects of the start were sent.
        initial_events_end: bool,
    },
}

// === impl Change ===

impl Change {
    /// `indexes` are the values of the indexed field, now and before.
    pub(super) fn new(
        revision: Revision,
        key: Bytes,
        now: Option<Arc<Object>>,
        before: Option<Arc<Object>>,
        indexes: (Option<Str>, Option<Str>),
    ) -> Self {
        let (index_now, index_before) = indexes;
        let (last, frames) = (OnceLock::new(), OnceLock::new());
        Self { revision, key, now, before, index_now, index_before, last, frames }
    }

    /// The object as an event of this kind shows it: what left the selection is shown as it was
    /// before, at the version of the change.
    #[must_use]
    pub fn object(&self, kind: ChangeKind) -> &Arc<Object> {
        match (kind, &self.now, &self.before) {
            (ChangeKind::Added | ChangeKind::Modified, Some(now), _) => now,
            (_, _, Some(before)) => self.last.get_or_init(|| {
                let last = Object::from_stored(before.stored().clone(), self.revision);
                Arc::new(last.expect("an object that was stored once is canonical"))
            }),
            (_, Some(now), None) => now,
            (_, None, None) => unreachable!("a change has an object before or after it"),
        }
    }

    /// The frame of an event of this kind, made by the first who asks.
    pub fn frame(
        &self,
        kind: ChangeKind,
        format: FrameFormat,
        encode: impl FnOnce(&Object) -> Bytes,
    ) -> Bytes {
        let frames = self.frames.get_or_init(Box::default);
        frames[kind as usize * 2 + format as usize]
            .get_or_init(|| encode(self.object(kind)))
            .clone()
    }

    /// What the change is to one who watches `selection`; none when it does not matter to him.
    #[must_use]
    pub fn kind_for(&self, resource: &Resource, selection: &Selection) -> Option<ChangeKind> {
        let takes = |object: &Option<Arc<Object>>| {
            object.as_ref().is_some_and(|object| selection.matches(resource, object))
        };
        match (takes(&self.before), takes(&self.now)) {
            (false, true) => Some(ChangeKind::Added),
            (true, true) => Some(ChangeKind::Modified),
            (true, false) => Some(ChangeKind::Deleted),
            (false, false) => None,
        }
    }

    /// What it is to one who watches all.
    pub(super) fn kind(&self) -> ChangeKind {
        match (&self.before, &self.now) {
            (None, _) => ChangeKind::Added,
            (Some(_), Some(_)) => ChangeKind::Modified,
            (Some(_), None) => ChangeKind::Deleted,
        }
    }
}

// === impl Event ===

impl Event {
    /// The version a watch that ended here goes on from.
    #[must_use]
    pub fn revision(&self) -> Revision {
        match self {
            Self::Change(_, change) => change.revision,
            Self::Initial(object) => object.resource_version(),
            Self::Bookmark { revision, .. } => *revision,
        }
    }

    /// As a client gets it.
    #[must_use]
    pub fn to_client(&self) -> WatchEvent {
        match self {
            Self::Change(kind, change) => {
                let object = change.object(*kind).clone();
                match kind {
                    ChangeKind::Added => WatchEvent::Added(object),
                    ChangeKind::Modified => WatchEvent::Modified(object),
                    ChangeKind::Deleted => WatchEvent::Deleted(object),
                }
            }
            Self::Initial(object) => WatchEvent::Added(object.clone()),
            Self::Bookmark { revision, initial_events_end } => WatchEvent::Bookmark {
                resource_version: *revision,
                initial_events_end: *initial_events_end,
            },
        }
    }
}

// === impl ChangeKind ===

impl ChangeKind {
    /// The word in a watch event.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

// === conversion ===

impl Event {
    /// What the event is to one who watches some of the objects only; none when it does not matter to him.
    pub(crate) fn selected(self, selects: impl Fn(&Object) -> bool) -> Option<Self> {
        match self {
            Self::Change(kind, change) => {
                let takes = |object: &Option<Arc<Object>>| object.as_deref().is_some_and(&selects);
                let before = kind != ChangeKind::Added && takes(&change.before);
                let now = kind != ChangeKind::Deleted && takes(&change.now);
                let kind = match (before, now) {
                    (false, true) => ChangeKind::Added,
                    (true, true) => ChangeKind::Modified,
                    (true, false) => ChangeKind::Deleted,
                    (false, false) => return None,
                };
                Some(Self::Change(kind, change))
            }
            Self::Initial(object) => selects(&object).then_some(Self::Initial(object)),
            bookmark @ Self::Bookmark { .. } => Some(bookmark),
        }
    }

    /// The same event of objects in another form.
    pub(crate) fn converted(&self, mut convert: impl FnMut(Arc<Object>) -> Arc<Object>) -> Self {
        match self {
            Self::Change(kind, change) => {
                let mut object = |object: &Option<Arc<Object>>| object.clone().map(&mut convert);
                let (now, before) = (object(&change.now), object(&change.before));
                let key = change.key.clone();
                let change = Change::new(change.revision, key, now, before, (None, None));
                Self::Change(*kind, Arc::new(change))
            }
            Self::Initial(object) => Self::Initial(convert(object.clone())),
            bookmark @ Self::Bookmark { .. } => bookmark.clone(),
        }
    }
}
