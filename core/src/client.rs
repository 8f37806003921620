//! How every part reads and writes objects, in the same process or over the network.
//!
//! The in-process client (`windlass_api::local`) and [`remote::RemoteClient`] enter the same door: who
//! holds a `dyn Client` can't tell them apart.

mod discovery;
mod extension;
mod key;
mod options;
pub mod remote;
mod transaction;

pub(crate) use options::flag;

pub use discovery::Discovery;
pub use extension::ClientExt;
pub use key::{Key, Scope};
pub use options::{
    DeleteOptions, ListOptions, Preconditions, Propagation, VersionMatch, WriteOptions,
};
pub use transaction::{Action, Operation, Transaction, TransactionSpec, TransactionStatus};

use crate::error::Result;
use crate::object::{Object, ObjectList};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use smallvec::SmallVec;
use std::sync::Arc;

/// Reading. From the server's cache unless the options ask for more.
#[async_trait]
pub trait Reader: Send + Sync {
    /// One object. The key may name a subresource that can be read (`scale`).
    ///
    /// # Errors
    /// `NotFound` when it is not there.
    async fn get(&self, key: &Key) -> Result<Arc<Object>>;

    /// All objects of a scope that the selectors take.
    ///
    /// # Errors
    /// `Expired` when the version or the token asked for is gone.
    async fn list(&self, scope: &Scope, options: &ListOptions) -> Result<ObjectList>;
}

/// Watching.
#[async_trait]
pub trait Watcher: Send + Sync {
    /// What changes after `options.resource_version`, in order, none twice and none left out. Without a version:
    /// first all objects as `Added`. Ends with `Expired` when the server can't keep the promise: list again. May
    /// end without an error at any time: watch on from the last version.
    async fn watch(&self, scope: &Scope, options: &ListOptions) -> Result<WatchStream>;
}

/// Writing. Each call returns when the change is durable. Bodies are JSON.
#[async_trait]
pub trait Writer: Send + Sync {
    /// Makes an object. The key's name may be empty when the object has a name or `generateName`, and
    /// may name a subresource (`binding`, `eviction`, `token`); the answer is then that subresource's.
    async fn create(&self, key: &Key, object: Bytes, options: &WriteOptions)
    -> Result<Arc<Object>>;

    /// Replaces an object, or its `status`. With a resource version in `object` only if it is still at that.
    async fn update(&self, key: &Key, object: Bytes, options: &WriteOptions)
    -> Result<Arc<Object>>;

    /// Changes part of an object. The server tries again when it changes in between.
    async fn patch(&self, key: &Key, patch: Patch, options: &WriteOptions) -> Result<Arc<Object>>;

    /// Deletes an object. `Some` is the object when it waits for its finalizers or its grace period.
    async fn delete(&self, key: &Key, options: &DeleteOptions) -> Result<Option<Arc<Object>>>;

    /// Deletes all objects of a scope that the selectors take.
    async fn delete_collection(
        &self,
        scope: &Scope,
        list: &ListOptions,
        options: &DeleteOptions,
    ) -> Result<()>;
}

/// All of it. `Arc<dyn Client>` is what parts are given.
pub trait Client: Reader + Watcher + Writer {}

impl<T: Reader + Watcher + Writer> Client for T {}

/// Batches of changes, as they came from the store.
pub type WatchStream = BoxStream<'static, Result<WatchBatch>>;

/// Changes that arrived together; mostly one.
pub type WatchBatch = SmallVec<[WatchEvent; 1]>;

/// One change of one object.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// It came into being, or into the selection.
    Added(Arc<Object>),
    /// It changed.
    Modified(Arc<Object>),
    /// It went, or left the selection; as it was last, at the version of its end.
    Deleted(Arc<Object>),
    /// Nothing changed up to this version.
    Bookmark {
        /// The version.
        resource_version: u64,
        /// All objects that were there at the start have been sent (KEP-3157).
        initial_events_end: bool,
    },
}

/// A change to part of an object. `Debug` does not show the body: it may hold a secret.
#[derive(Clone)]
pub struct Patch {
    /// How to read the body.
    pub kind: PatchType,
    /// JSON; for [`PatchType::Apply`] YAML too.
    pub body: Bytes,
}

/// The ways to say what changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Merge that knows the keys of lists.
    Strategic,
    /// Server-side apply.
    Apply,
}

// === impl PatchType ===

impl PatchType {
    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json-patch+json",
            Self::Merge => "application/merge-patch+json",
            Self::Strategic => "application/strategic-merge-patch+json",
            Self::Apply => "application/apply-patch+yaml",
        }
    }

    /// The one with this media type (parameters left out).
    #[must_use]
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        [Self::Json, Self::Merge, Self::Strategic, Self::Apply]
            .into_iter()
            .find(|kind| kind.media_type() == media_type)
    }
}

// === impl Patch ===

impl Patch {
    /// A merge patch.
    #[must_use]
    pub fn merge(value: &serde_json::Value) -> Self {
        Self { kind: PatchType::Merge, body: value.to_string().into() }
    }

    /// A strategic merge patch.
    #[must_use]
    pub fn strategic(value: &serde_json::Value) -> Self {
        Self { kind: PatchType::Strategic, body: value.to_string().into() }
    }
}

impl std::fmt::Debug for Patch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, bytes) = (self.kind, self.body.len());
        f.debug_struct("Patch").field("kind", &kind).field("bytes", &bytes).finish()
    }
}
