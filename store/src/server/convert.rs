//! Between the wire's types and the store's.

use super::proto::mvccpb;
use crate::{KeyRange, KeyValue, LeaseId, Revision};
use bytes::Bytes;

/// A shorter value is copied out of the buffer that its request came in: the store keeps it for long, and
/// the buffer (8 KiB at least) would be kept with it.
const KEEP: usize = 32 << 10;

/// The keys that a request means: one, those up to `end`, or with an end of one zero all from `key` on.
pub(super) fn key_range(key: &Bytes, end: &Bytes) -> KeyRange {
    match &end[..] {
        [] => KeyRange::key(key.clone()),
        [0] => KeyRange { start: key.clone(), end: None },
        _ => KeyRange { start: key.clone(), end: Some(end.clone()) },
    }
}

/// A revision or a count, which the wire has signed.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A revision of a request; `None` for now.
pub(super) fn revision(number: i64) -> Option<Revision> {
    Revision::try_from(number).ok().filter(|revision| *revision > 0)
}

/// The lease of a request; `None` for zero. All other 64 bits are a name, also a negative one.
pub(super) fn lease(id: i64) -> Option<LeaseId> {
    LeaseId::new(id.cast_unsigned())
}

/// The lease's name on the wire, zero for none.
pub(super) fn lease_number(id: Option<LeaseId>) -> i64 {
    id.map_or(0, |id| id.get().cast_signed())
}

/// A key on the wire.
pub(super) fn key_value(kv: &KeyValue) -> mvccpb::KeyValue {
    mvccpb::KeyValue {
        key: kv.key.clone(),
        create_revision: number(kv.create_revision),
        mod_revision: number(kv.mod_revision),
        version: number(kv.version),
        value: kv.value.clone(),
        lease: lease_number(kv.lease),
    }
}

/// A value to keep.
pub(super) fn kept(value: &Bytes) -> Bytes {
    if value.len() < KEEP { Bytes::copy_from_slice(value) } else { value.clone() }
}
