//! Keys, values, transactions and what watchers see.

mod debug;

use bytes::Bytes;
use std::sync::Arc;

/// The number of a commit. The first commit of a store has revision 2, an empty store is at 1.
pub type Revision = u64;

/// The name of a lease. Kept when the store is opened again.
pub type LeaseId = std::num::NonZeroU64;

/// A key with its value at some revision. Cheap to clone: the bytes are shared.
/// `Debug` shows the length of the value only: it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
    /// The revision at which the key came into being (this time).
    pub create_revision: Revision,
    /// The revision of the last change.
    pub mod_revision: Revision,
    /// How many times the key was written since its creation; 1 for a new key.
    pub version: u64,
    /// The lease it was last written with: the key goes when that ends.
    pub lease: Option<LeaseId>,
}

/// Keys from `start` (included) to `end` (excluded).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// First key of the range.
    pub start: Bytes,
    /// First key after the range; `None` means up to the last key.
    pub end: Option<Bytes>,
}

/// What must hold for a transaction to happen. `Debug` does not show values.
#[derive(Clone, PartialEq, Eq)]
pub enum Precondition {
    /// The key is there.
    Exists(Bytes),
    /// The key is not there.
    Absent(Bytes),
    /// The key was last changed at this revision.
    ModRevision(Bytes, Revision),
    /// The key has this value.
    Value(Bytes, Bytes),
    /// No key of the range was written or removed after this revision. A transaction that stands
    /// on what it read of a range pins it so. A revision that is compacted is [`crate::Error::Compacted`].
    /// A backend that can't see it may let pass a key that came after it and went again: the range is as it was.
    Unchanged(KeyRange, Revision),
}

/// One change of a transaction. A key may be named by one operation of a transaction only.
/// `Debug` does not show values.
#[derive(Clone, PartialEq, Eq)]
pub enum Op {
    /// Writes a key, new or not.
    Put {
        /// The key, not empty.
        key: Bytes,
        /// The value.
        value: Bytes,
        /// The lease the key goes with, in place of the one it had. A lease that is not there is
        /// [`crate::Error::LeaseNotFound`].
        lease: Option<LeaseId>,
    },
    /// Removes a key; one that is not there is left out without an error.
    Delete {
        /// The key.
        key: Bytes,
    },
}

/// Preconditions and operations that happen together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// All must hold.
    pub preconditions: Vec<Precondition>,
    /// Applied at one revision when they do.
    pub ops: Vec<Op>,
}

/// A transaction that happened and is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its revision. When no operation changed anything (deletes of absent keys) the revision
    /// at which that was found, and nothing was written.
    pub revision: Revision,
    /// For each operation, in order, what stood under the key before.
    pub previous: Vec<Option<KeyValue>>,
}

/// Part of a range at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeResult {
    /// The keys in order, at most as many as the limit.
    pub items: Vec<KeyValue>,
    /// How many keys of the range come after the last of `items`.
    pub remaining: u64,
    /// The revision that was read.
    pub revision: Revision,
}

/// A lease and its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseStatus {
    /// Its name.
    pub id: LeaseId,
    /// The whole time to live it was given.
    pub granted: std::time::Duration,
    /// What is left of it.
    pub remaining: std::time::Duration,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The key was written.
    Put {
        /// What stands there now.
        now: KeyValue,
        /// What stood there before.
        previous: Option<KeyValue>,
    },
    /// The key was removed.
    Delete {
        /// What stood there before.
        previous: KeyValue,
    },
}

/// All changes of one commit that a watcher asked for. Without events it is a report of
/// progress: everything up to `revision` was delivered.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The commit's revision.
    pub revision: Revision,
    /// Its events, in the order of the transaction's operations; shared by all watchers.
    pub events: Arc<[Event]>,
}

// === impl KeyRange ===

impl KeyRange {
    /// The keys that start with `prefix`; all keys when it is empty.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let start = prefix.into();
        let end = start.iter().rposition(|b| *b < 0xff).map(|at| {
            let mut end = start[..=at].to_vec();
            end[at] += 1;
            Bytes::from(end)
        });
        Self { start, end }
    }

    /// One key only.
    pub fn key(key: impl Into<Bytes>) -> Self {
        let start = key.into();
        let end = [&start[..], &[0]].concat();
        Self { start, end: Some(end.into()) }
    }

    /// All keys.
    #[must_use]
    pub fn all() -> Self {
        Self { start: Bytes::new(), end: None }
    }

    /// Whether no key can be in the range.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end <= &self.start)
    }

    /// Whether the range holds `key`.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= &self.start[..] && self.end.as_ref().is_none_or(|end| key < &end[..])
    }
}

// === impl Txn ===

impl Txn {
    /// A transaction that does nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a precondition.
    #[must_use]
    pub fn when(mut self, precondition: Precondition) -> Self {
        self.preconditions.push(precondition);
        self
    }

    /// Adds the writing of a key. The value is kept as it is, not copied: a piece of a larger buffer
    /// keeps all of that buffer in memory.
    #[must_use]
    pub fn put(mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.ops.push(Op::Put { key: key.into(), value: value.into(), lease: None });
        self
    }

    /// Adds the writing of a key that goes when the lease ends.
    #[must_use]
    pub fn put_leased(
        mut self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        lease: LeaseId,
    ) -> Self {
        self.ops.push(Op::Put { key: key.into(), value: value.into(), lease: Some(lease) });
        self
    }

    /// Adds the removal of a key.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Bytes>) -> Self {
        self.ops.push(Op::Delete { key: key.into() });
        self
    }
}

// === impl Precondition ===

impl Precondition {
    /// The one key it speaks of; `None` for [`Precondition::Unchanged`], which speaks of a range.
    #[must_use]
    pub fn key(&self) -> Option<&Bytes> {
        match self {
            Self::Exists(key)
            | Self::Absent(key)
            | Self::ModRevision(key, _)
            | Self::Value(key, _) => Some(key),
            Self::Unchanged(..) => None,
        }
    }
}

// === impl Op ===

impl Op {
    /// The key it changes.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put { key, .. } | Self::Delete { key } => key,
        }
    }
}

// === impl Event ===

impl Event {
    /// The key that changed.
    #[must_use]
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Put { now, .. } => &now.key,
            Self::Delete { previous } => &previous.key,
        }
    }
}
