//! etcd's words for what this crate calls otherwise.

use crate::{KeyRange, KeyValue, LeaseId, Revision};
use bytes::Bytes;
use etcd_client::GetOptions;
use etcd_client::proto::{PbKeyValue, PbResponseHeader};

/// A range as etcd names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) key: Vec<u8>,
    /// First key after it; one zero byte: up to the last key; empty: the one key only.
    pub(super) end: Vec<u8>,
}

/// Sorts before every key, and none has it: keys are not empty.
pub(super) const FIRST: &[u8] = &[0];

// === impl Span ===

impl Span {
    /// `None` when no key can be in the range.
    pub(super) fn of(range: &KeyRange) -> Option<Self> {
        // A lone zero byte as the end would mean "all" to etcd; no key comes before it.
        if range.is_empty() || range.end.as_deref() == Some(FIRST) {
            return None;
        }
        let key = if range.start.is_empty() { FIRST } else { &range.start };
        let end = match &range.end {
            Some(end) if end.strip_suffix(FIRST) == Some(key) => Vec::new(),
            Some(end) => end.to_vec(),
            None => FIRST.to_vec(),
        };
        Some(Self { key: key.to_vec(), end })
    }

    /// Options to read it.
    pub(super) fn options(&self) -> GetOptions {
        match self.end.is_empty() {
            true => GetOptions::new(),
            false => GetOptions::new().with_range(self.end.clone()),
        }
    }
}

/// etcd's revisions and counts are never negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A revision that etcd can't count to is as good as the last it can.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn lease_id(id: i64) -> Option<LeaseId> {
    LeaseId::new(id.cast_unsigned())
}

pub(super) fn key_value(kv: PbKeyValue) -> KeyValue {
    KeyValue {
        key: Bytes::from(kv.key),
        value: Bytes::from(kv.value),
        create_revision: unsigned(kv.create_revision),
        mod_revision: unsigned(kv.mod_revision),
        version: unsigned(kv.version),
        lease: lease_id(kv.lease),
    }
}

/// The revision at which a request was answered.
pub(super) fn revision(header: Option<&PbResponseHeader>) -> Revision {
    header.map_or(0, |header| unsigned(header.revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: &'static [u8], end: Option<&'static [u8]>) -> Option<(Vec<u8>, Vec<u8>)> {
        let range = KeyRange { start: start.into(), end: end.map(Into::into) };
        Span::of(&range).map(|span| (span.key, span.end))
    }

    #[test]
    fn ranges_keep_their_meaning() {
        assert_eq!(span(b"", None), Some((vec![0], vec![0])));
        assert_eq!(span(b"a", None), Some((b"a".to_vec(), vec![0])));
        assert_eq!(span(b"a", Some(b"b")), Some((b"a".to_vec(), b"b".to_vec())));
        assert_eq!(span(b"a", Some(b"a\0")), Some((b"a".to_vec(), vec![])));
        assert_eq!(span(b"", Some(b"b")), Some((vec![0], b"b".to_vec())));
        assert_eq!(span(b"", Some(b"\0\0")), Some((vec![0], vec![])));
        for end in [&b""[..], b"\0", b"a"] {
            assert_eq!(span(b"b", Some(end)), None);
        }
        assert_eq!(span(b"", Some(b"\0")), None, "only the empty key would be in it");
    }
}
