//! What a store refuses because it is too much.

use crate::{Error, Op, Precondition, Result, Txn};
use bytes::Bytes;
use std::collections::HashSet;
use std::time::Duration;

/// Bounds of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest value, in bytes.
    pub value_bytes: usize,
    /// All keys and values that a transaction writes, in bytes. At most 256 MiB.
    pub txn_bytes: usize,
    /// How many batches may wait for a watcher before it is cut off with [`Error::Overrun`].
    pub watch_batches: usize,
}

/// More operations than this are looked through with a set for keys named twice.
const FEW: usize = 16;

/// A group of commits must fit in a frame on disk, whose length has 32 bits.
const MAX_TXN_BYTES: usize = 256 << 20;

/// Longest time to live of a lease: etcd's.
pub(crate) const MAX_TTL_SECONDS: u64 = 9_000_000_000;

// === impl Limits ===

impl Default for Limits {
    /// Values of 8 MiB, transactions of 64 MiB, 16,384 batches for a watcher.
    fn default() -> Self {
        Self { value_bytes: 8 << 20, txn_bytes: 64 << 20, watch_batches: 16_384 }
    }
}

impl Limits {
    /// Whether the store may take this transaction at all.
    pub(crate) fn check(&self, txn: &Txn) -> Result<()> {
        let keys = txn
            .preconditions
            .iter()
            .filter_map(Precondition::key)
            .chain(txn.ops.iter().map(Op::key));
        if keys.into_iter().any(Bytes::is_empty) {
            return Err(Error::Invalid("the key is empty".into()));
        }
        if let Some(key) = named_twice(&txn.ops) {
            return Err(Error::Invalid(format!("key {key:?} is named by two operations")));
        }
        self.check_size(&txn.ops)
    }

    /// The time to live of a lease that asks for `ttl`: in whole seconds, at least one.
    pub(crate) fn ttl(ttl: Duration) -> Result<Duration> {
        let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)).max(1);
        if seconds > MAX_TTL_SECONDS {
            let reason = format!("a lease of {seconds} s; the limit is {MAX_TTL_SECONDS}");
            return Err(Error::Invalid(reason));
        }
        Ok(Duration::from_secs(seconds))
    }

    fn check_size(&self, ops: &[Op]) -> Result<()> {
        let mut total = 0usize;
        for op in ops {
            total = total.saturating_add(op.key().len());
            let Op::Put { key, value, .. } = op else { continue };
            total = total.saturating_add(value.len());
            if value.len() > self.value_bytes {
                let (len, limit) = (value.len(), self.value_bytes);
                let reason = format!("value of {key:?} has {len} bytes, the limit is {limit}");
                return Err(Error::Invalid(reason));
            }
        }
        let limit = self.txn_bytes.min(MAX_TXN_BYTES);
        if total > limit {
            let reason = format!("the transaction has {total} bytes, the limit is {limit}");
            return Err(Error::Invalid(reason));
        }
        Ok(())
    }
}

fn named_twice(ops: &[Op]) -> Option<&Bytes> {
    if ops.len() <= FEW {
        let seen_before = |(i, op): &(usize, &Op)| ops[..*i].iter().any(|o| o.key() == op.key());
        return ops.iter().enumerate().find(seen_before).map(|(_, op)| op.key());
    }
    let mut seen = HashSet::with_capacity(ops.len());
    ops.iter().map(Op::key).find(|key| !seen.insert(*key))
}
