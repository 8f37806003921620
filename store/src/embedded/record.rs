//! Records and keys as bytes, all numbers little-endian.

use super::log::Record;
use crate::limits::MAX_TTL_SECONDS;
use crate::{KeyValue, LeaseId, Op};
use bytes::Bytes;
use std::time::Duration;

const COMMIT: u8 = 1;
const COMPACT: u8 = 2;
/// A commit that puts keys on leases.
const LEASED_COMMIT: u8 = 3;
const GRANT: u8 = 4;
const REVOKE: u8 = 5;

const KEY: u8 = 1;
/// A key on a lease.
const LEASED_KEY: u8 = 2;
const LEASE: u8 = 3;
const GRANTS: u8 = 4;

/// In the place of a value's length: the key was removed.
const REMOVED: u32 = u32::MAX;

/// What a snapshot is made of.
pub(super) enum Item {
    /// A key. Comes after its lease.
    Key(KeyValue),
    /// A lease, with its time to live.
    Lease(LeaseId, Duration),
    /// How many leases were granted, at least.
    Grants(u64),
}

/// Reads numbers and bytes off the front.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

// === impl Input ===

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn seconds(&mut self) -> Option<Duration> {
        self.u64().filter(|seconds| *seconds <= MAX_TTL_SECONDS).map(Duration::from_secs)
    }

    fn lease(&mut self) -> Option<LeaseId> {
        self.u64().and_then(LeaseId::new)
    }

    /// A copy: the buffer it stands in is used again.
    fn bytes(&mut self, len: u32) -> Option<Bytes> {
        self.take(len as usize).map(Bytes::copy_from_slice)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Adds a record to `out`.
pub(super) fn write(record: &Record, out: &mut Vec<u8>) {
    match record {
        Record::Compact { up_to } => {
            out.push(COMPACT);
            out.extend(up_to.to_le_bytes());
        }
        Record::Commit { revision, ops } => {
            let leased = ops.iter().any(|op| matches!(op, Op::Put { lease: Some(_), .. }));
            out.push(if leased { LEASED_COMMIT } else { COMMIT });
            out.extend(revision.to_le_bytes());
            out.extend(length(ops.len()).to_le_bytes());
            ops.iter().for_each(|op| write_op(op, leased, out));
        }
        Record::Grant { after, id, ttl } => {
            out.push(GRANT);
            [*after, id.get(), ttl.as_secs()].iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
        Record::Revoke { after, id } => {
            out.push(REVOKE);
            [*after, id.get()].iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
    }
}

fn write_op(op: &Op, leased: bool, out: &mut Vec<u8>) {
    let (key, len, value, lease) = match op {
        Op::Put { key, value, lease } => (key, length(value.len()), &value[..], *lease),
        Op::Delete { key } => (key, REMOVED, &[][..], None),
    };
    out.extend(length(key.len()).to_le_bytes());
    out.extend(len.to_le_bytes());
    if leased {
        out.extend(lease.map_or(0, LeaseId::get).to_le_bytes());
    }
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

/// The next record; `None` when the bytes make none.
pub(super) fn read(input: &mut Input<'_>) -> Option<Record> {
    match input.array::<1>()? {
        [COMPACT] => Some(Record::Compact { up_to: input.u64()? }),
        [kind @ (COMMIT | LEASED_COMMIT)] => {
            let (revision, count) = (input.u64()?, input.u32()?);
            let leased = kind == LEASED_COMMIT;
            let ops = (0..count).map(|_| read_op(input, leased)).collect::<Option<_>>()?;
            Some(Record::Commit { revision, ops })
        }
        [GRANT] => {
            let (after, id) = (input.u64()?, input.lease()?);
            Some(Record::Grant { after, id, ttl: input.seconds()? })
        }
        [REVOKE] => Some(Record::Revoke { after: input.u64()?, id: input.lease()? }),
        _ => None,
    }
}

fn read_op(input: &mut Input<'_>, leased: bool) -> Option<Op> {
    let (key_len, len) = (input.u32()?, input.u32()?);
    let lease = if leased { LeaseId::new(input.u64()?) } else { None };
    let key = input.bytes(key_len)?;
    match len {
        REMOVED => Some(Op::Delete { key }),
        len => Some(Op::Put { key, value: input.bytes(len)?, lease }),
    }
}

/// Adds a key of a snapshot to `out`.
pub(super) fn write_key_value(kv: &KeyValue, out: &mut Vec<u8>) {
    match kv.lease {
        Some(lease) => {
            out.push(LEASED_KEY);
            out.extend(lease.get().to_le_bytes());
        }
        None => out.push(KEY),
    }
    out.extend(length(kv.key.len()).to_le_bytes());
    out.extend(length(kv.value.len()).to_le_bytes());
    out.extend(kv.create_revision.to_le_bytes());
    out.extend(kv.mod_revision.to_le_bytes());
    out.extend(kv.version.to_le_bytes());
    out.extend_from_slice(&kv.key);
    out.extend_from_slice(&kv.value);
}

/// Adds a lease of a snapshot to `out`.
pub(super) fn write_lease(id: LeaseId, ttl: Duration, out: &mut Vec<u8>) {
    out.push(LEASE);
    out.extend(id.get().to_le_bytes());
    out.extend(ttl.as_secs().to_le_bytes());
}

/// Adds the count of leases of a snapshot to `out`.
pub(super) fn write_grants(grants: u64, out: &mut Vec<u8>) {
    out.push(GRANTS);
    out.extend(grants.to_le_bytes());
}

/// The next item of a snapshot; `None` when the bytes make none.
pub(super) fn read_item(input: &mut Input<'_>) -> Option<Item> {
    match input.array::<1>()? {
        [KEY] => read_key_value(input, None).map(Item::Key),
        [LEASED_KEY] => {
            let lease = input.lease()?;
            read_key_value(input, Some(lease)).map(Item::Key)
        }
        [LEASE] => Some(Item::Lease(input.lease()?, input.seconds()?)),
        [GRANTS] => input.u64().map(Item::Grants),
        _ => None,
    }
}

/// A key with its value. All that a snapshot of version 1 held were these.
pub(super) fn read_key_value(input: &mut Input<'_>, lease: Option<LeaseId>) -> Option<KeyValue> {
    let (key_len, value_len) = (input.u32()?, input.u32()?);
    let (create_revision, mod_revision) = (input.u64()?, input.u64()?);
    let version = input.u64()?;
    let (key, value) = (input.bytes(key_len)?, input.bytes(value_len)?);
    Some(KeyValue { key, value, create_revision, mod_revision, version, lease })
}

fn length(len: usize) -> u32 {
    u32::try_from(len).expect("transactions are limited to 256 MiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clocks can't count to any end.
    #[test]
    fn a_lease_that_nobody_could_be_granted_is_no_item() {
        let id = LeaseId::new(1).unwrap();
        for (seconds, is_item) in [(MAX_TTL_SECONDS, true), (MAX_TTL_SECONDS + 1, false)] {
            let ttl = Duration::from_secs(seconds);
            let mut bytes = Vec::new();
            write_lease(id, ttl, &mut bytes);
            assert_eq!(read_item(&mut Input(&bytes)).is_some(), is_item, "{seconds}");
            bytes.clear();
            write(&Record::Grant { after: 1, id, ttl }, &mut bytes);
            assert_eq!(read(&mut Input(&bytes)).is_some(), is_item, "{seconds}");
        }
    }
}
