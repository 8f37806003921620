//! Where objects rest: from names to keys, from bytes to objects, from commits to changes.
//!
//! [`Kv`] reads and writes a [`windlass_store::Backend`]. [`Cacher`] stands before it: it keeps one
//! shared copy of each object, answers reads from it, and feeds all watchers from one watch of the store.

mod cacher;
mod change;
mod continuation;
mod errors;
mod kv;
mod resource;
mod selection;

#[cfg(test)]
mod tests;

pub use cacher::Cacher;
pub use change::{Change, ChangeKind, Event, EventStream, FrameFormat};
pub use kv::Kv;
pub use resource::{Fields, Resource};
pub use selection::Selection;

pub(crate) use continuation::Continuation;
pub(crate) use errors::store_status;
pub(crate) use resource::prefix;

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use windlass_core::Object;
use windlass_core::meta::Status;
use windlass_store::{Committed, KeyRange, Revision, Txn};

/// Objects by key. All methods may be called from many tasks at once.
#[async_trait]
pub trait Storage: Send + Sync {
    /// The object under a key, none when it is not there.
    async fn get(
        &self,
        resource: &Arc<Resource>,
        key: &Bytes,
        at: ReadVersion,
    ) -> Result<Option<Arc<Object>>, Status>;

    /// A page of the objects that a selection takes, in the order of their keys.
    ///
    /// # Errors
    /// `Expired` when the version asked for is gone, `Timeout` when it is not reached in time.
    async fn list(&self, query: &ListQuery) -> Result<Page, Status>;

    /// What happens to the objects that a selection takes.
    ///
    /// # Errors
    /// `Expired` when the events after the version asked for are gone.
    async fn watch(&self, query: WatchQuery) -> Result<EventStream, Status>;

    /// How much there is of a resource, when that is known without looking.
    fn stats(&self, _: &Resource) -> Option<Stats> {
        None
    }

    /// Lets go of what is kept of a resource that is served no longer, and ends its watches. It can be
    /// asked for again.
    fn forget(&self, _resource: &Resource) {}

    /// Writes. The errors are the store's own: who wrote knows what a precondition stood for.
    async fn commit(&self, txn: Txn) -> windlass_store::Result<Committed>;
}

/// How much there is of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Its objects.
    pub objects: u64,
    /// The length of one, about.
    pub bytes: u64,
}

/// Which version a read may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadVersion {
    /// What is committed when the read begins, or newer.
    Newest,
    /// Whatever is at hand.
    Any,
    /// This one or a newer one.
    NotOlderThan(Revision),
    /// This one.
    Exact(Revision),
}

/// What to list.
#[derive(Clone)]
pub struct ListQuery {
    /// The resource.
    pub resource: Arc<Resource>,
    /// Which of its objects.
    pub selection: Selection,
    /// The version to read.
    pub at: ReadVersion,
    /// At most so many; 0 for all.
    pub limit: usize,
    /// Only keys from this one on: where the last page ended.
    pub start: Option<Bytes>,
}

// === impl ListQuery ===

impl ListQuery {
    /// The keys that the page can have; none when it would begin behind them all.
    fn range(&self) -> KeyRange {
        let mut range = self.selection.range(&self.resource);
        if let Some(start) = self.start.clone().filter(|start| *start > range.start) {
            range.start = start;
        }
        range
    }
}

/// What to watch.
#[derive(Clone)]
pub struct WatchQuery {
    /// The resource.
    pub resource: Arc<Resource>,
    /// Which of its objects.
    pub selection: Selection,
    /// Where to begin.
    pub from: WatchFrom,
    /// Whether to say now and then how far the watch has come.
    pub bookmarks: bool,
}

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchFrom {
    /// After this version.
    After(Revision),
    /// With all objects there are, then what follows. `mark_end` asks for a bookmark between the two.
    Objects {
        /// How fresh they must be.
        at: ReadVersion,
        /// Whether to say when all of them were sent.
        mark_end: bool,
    },
    /// With what follows now, without the objects there are.
    Now {
        /// How fresh what is known must be.
        at: ReadVersion,
    },
}

/// Part of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The objects.
    pub items: Vec<Arc<Object>>,
    /// The version at which they are complete.
    pub revision: Revision,
    /// The key where the next page begins; none at the end.
    pub next: Option<Bytes>,
    /// How many objects come after this page, when that is known.
    pub remaining: Option<u64>,
}
