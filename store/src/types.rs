//! Keys, values, transactions and what watchers see.

use bytes::Bytes;
use std::sync::Arc;

/// The number of a commit. The first commit of a store has revision 2, an empty store is at 1.
pub type Revision = u64;

/// A key with its value at some revision. Cheap to clone: the bytes are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// Keys from `start` (included) to `end` (excluded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// First key of the range.
    pub start: Bytes,
    /// First key after the range; `None` means up to the last key.
    pub end: Option<Bytes>,
}

/// What must hold for a transaction to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The key is there.
    Exists(Bytes),
    /// The key is not there.
    Absent(Bytes),
    /// The key was last changed at this revision.
    ModRevision(Bytes, Revision),
    /// The key has this value.
    Value(Bytes, Bytes),
}

/// One change of a transaction. A key may be named by one operation of a transaction only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Writes a key, new or not.
    Put {
        /// The key, not empty.
        key: Bytes,
        /// The value.
        value: Bytes,
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

    /// Whether the range holds `key`.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= &self.start[..] && self.end.as_ref().is_none_or(|end| key < &end[..])
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
