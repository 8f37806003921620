//! `Debug` without values: they may be secrets, and logs are read by many.

use super::{KeyValue, Op, Precondition};
use bytes::Bytes;
use std::fmt::{Debug, Formatter, Result};

/// Stands for a value: its length.
struct Hidden<'a>(&'a Bytes);

impl Debug for Hidden<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

impl Debug for KeyValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("KeyValue")
            .field("key", &self.key)
            .field("value", &Hidden(&self.value))
            .field("create_revision", &self.create_revision)
            .field("mod_revision", &self.mod_revision)
            .field("version", &self.version)
            .field("lease", &self.lease)
            .finish()
    }
}

impl Debug for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Put { key, value, lease } => f
                .debug_struct("Put")
                .field("key", key)
                .field("value", &Hidden(value))
                .field("lease", lease)
                .finish(),
            Self::Delete { key } => f.debug_struct("Delete").field("key", key).finish(),
        }
    }
}

impl Debug for Precondition {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Exists(key) => f.debug_tuple("Exists").field(key).finish(),
            Self::Absent(key) => f.debug_tuple("Absent").field(key).finish(),
            Self::ModRevision(key, at) => {
                f.debug_tuple("ModRevision").field(key).field(at).finish()
            }
            Self::Value(key, value) => {
                f.debug_tuple("Value").field(key).field(&Hidden(value)).finish()
            }
            Self::Unchanged(range, since) => {
                f.debug_tuple("Unchanged").field(range).field(since).finish()
            }
        }
    }
}
