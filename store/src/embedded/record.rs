//! Records and keys as bytes, all numbers little-endian.

use super::log::Record;
use crate::{KeyValue, Op};
use bytes::Bytes;

const COMMIT: u8 = 1;
const COMPACT: u8 = 2;
/// In the place of a value's length: the key was removed.
const REMOVED: u32 = u32::MAX;

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
            out.push(COMMIT);
            out.extend(revision.to_le_bytes());
            out.extend(length(ops.len()).to_le_bytes());
            ops.iter().for_each(|op| write_op(op, out));
        }
    }
}

fn write_op(op: &Op, out: &mut Vec<u8>) {
    let (key, len, value) = match op {
        Op::Put { key, value, .. } => (key, length(value.len()), &value[..]),
        Op::Delete { key } => (key, REMOVED, &[][..]),
    };
    out.extend(length(key.len()).to_le_bytes());
    out.extend(len.to_le_bytes());
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

/// The next record; `None` when the bytes make none.
pub(super) fn read(input: &mut Input<'_>) -> Option<Record> {
    match input.array::<1>()? {
        [COMPACT] => Some(Record::Compact { up_to: input.u64()? }),
        [COMMIT] => {
            let (revision, count) = (input.u64()?, input.u32()?);
            let ops = (0..count).map(|_| read_op(input)).collect::<Option<_>>()?;
            Some(Record::Commit { revision, ops })
        }
        _ => None,
    }
}

fn read_op(input: &mut Input<'_>) -> Option<Op> {
    let (key_len, len) = (input.u32()?, input.u32()?);
    let key = input.bytes(key_len)?;
    match len {
        REMOVED => Some(Op::Delete { key }),
        len => Some(Op::Put { key, value: input.bytes(len)?, lease: None }),
    }
}

/// Adds a key of a snapshot to `out`.
pub(super) fn write_key_value(kv: &KeyValue, out: &mut Vec<u8>) {
    out.extend(length(kv.key.len()).to_le_bytes());
    out.extend(length(kv.value.len()).to_le_bytes());
    out.extend(kv.create_revision.to_le_bytes());
    out.extend(kv.mod_revision.to_le_bytes());
    out.extend(kv.version.to_le_bytes());
    out.extend_from_slice(&kv.key);
    out.extend_from_slice(&kv.value);
}

/// The next key of a snapshot; `None` when the bytes make none.
pub(super) fn read_key_value(input: &mut Input<'_>) -> Option<KeyValue> {
    let (key_len, value_len) = (input.u32()?, input.u32()?);
    let (create_revision, mod_revision) = (input.u64()?, input.u64()?);
    let version = input.u64()?;
    let (key, value) = (input.bytes(key_len)?, input.bytes(value_len)?);
    Some(KeyValue { key, value, create_revision, mod_revision, version, lease: None })
}

fn length(len: usize) -> u32 {
    u32::try_from(len).expect("transactions are limited to 256 MiB")
}
