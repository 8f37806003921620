//! The bytes of a snapshot, piece by piece.

use super::disk::{HEADER, Header, Kind};
use super::frame::build;
use super::record;
use crate::{KeyValue, LeaseId, Revision};
use std::time::Duration;

/// A frame is closed when it has this many bytes.
const FRAME: usize = 1 << 20;

/// Gathers keys and leases until they fill a frame. A lease comes before its keys.
pub(crate) struct Encoder {
    header: Header,
    payload: Vec<u8>,
}

// === impl Encoder ===

impl Encoder {
    /// For a snapshot of `revision`.
    pub(crate) fn new(revision: Revision) -> Self {
        Self { header: Header::new(Kind::Snapshot, revision), payload: Vec::new() }
    }

    /// The first bytes.
    pub(crate) fn header(&self) -> [u8; HEADER] {
        self.header.to_bytes()
    }

    pub(crate) fn grants(&mut self, grants: u64) {
        record::write_grants(grants, &mut self.payload);
    }

    pub(crate) fn lease(&mut self, id: LeaseId, ttl: Duration) {
        record::write_lease(id, ttl, &mut self.payload);
    }

    pub(crate) fn key(&mut self, kv: &KeyValue) {
        record::write_key_value(kv, &mut self.payload);
    }

    /// Whether a frame is due.
    pub(crate) fn is_full(&self) -> bool {
        self.payload.len() >= FRAME
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// Makes `out` a frame of what was gathered. One of nothing is the end of the snapshot.
    pub(crate) fn frame(&mut self, out: &mut Vec<u8>) {
        build(out, 0, self.header.salt, |out| out.append(&mut self.payload));
    }
}
