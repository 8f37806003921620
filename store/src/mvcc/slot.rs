//! What a key holds, and held.

use crate::{KeyValue, LeaseId, Revision};
use bytes::Bytes;

/// A key's value from one change until the next; without a value the key was removed.
pub(super) struct Version {
    pub(super) value: Option<Bytes>,
    pub(super) create_revision: Revision,
    pub(super) mod_revision: Revision,
    pub(super) version: u64,
    pub(super) lease: Option<LeaseId>,
}

/// All versions of a key that can still be read. Most keys have one: the others are behind a thin pointer.
pub(super) struct Slot {
    last: Version,
    #[expect(clippy::box_collection, reason = "8 bytes instead of 24 in each of a million slots")]
    older: Option<Box<Vec<Version>>>,
}

// === impl Version ===

impl Version {
    /// What stands under `key` in this version.
    pub(super) fn key_value(&self, key: &Bytes) -> Option<KeyValue> {
        let value = self.value.clone()?;
        Some(KeyValue {
            key: key.clone(),
            value,
            create_revision: self.create_revision,
            mod_revision: self.mod_revision,
            version: self.version,
            lease: self.lease,
        })
    }
}

impl From<&KeyValue> for Version {
    fn from(kv: &KeyValue) -> Self {
        Self {
            value: Some(kv.value.clone()),
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
            lease: kv.lease,
        }
    }
}

// === impl Slot ===

impl Slot {
    pub(super) fn new(last: Version) -> Self {
        Self { last, older: None }
    }

    pub(super) fn push(&mut self, version: Version) {
        let before = std::mem::replace(&mut self.last, version);
        self.older.get_or_insert_default().push(before);
    }

    /// The newest version, if the key is there.
    pub(super) fn now(&self) -> Option<&Version> {
        Some(&self.last).filter(|v| v.value.is_some())
    }

    /// The version at a revision, if the key was there.
    pub(super) fn at(&self, revision: Revision) -> Option<&Version> {
        if self.last.mod_revision <= revision {
            return self.now();
        }
        let older = self.older.as_ref()?;
        let newer = older.partition_point(|v| v.mod_revision <= revision);
        older[..newer].last().filter(|v| v.value.is_some())
    }

    /// Drops what no read at `oldest` or later needs. Whether nothing is left.
    pub(super) fn trim(&mut self, oldest: Revision) -> bool {
        if self.last.mod_revision <= oldest {
            self.older = None;
            return self.last.value.is_none();
        }
        let Some(older) = &mut self.older else {
            return false;
        };
        let newer = older.partition_point(|v| v.mod_revision <= oldest);
        let needed = match newer.checked_sub(1) {
            Some(at) if older[at].value.is_some() => at,
            _ => newer,
        };
        older.drain(..needed);
        if older.is_empty() {
            self.older = None;
        }
        false
    }
}
