//! What happened lately.

use crate::mvcc::select;
use crate::{Batch, Event, KeyRange, Revision};
use std::collections::VecDeque;

/// So much is kept for watchers that start a little in the past.
const MOST_BYTES: usize = 32 << 20;
const MOST_BATCHES: usize = 16_384;

/// The last commits, without a hole.
pub(super) struct History {
    batches: VecDeque<Batch>,
    bytes: usize,
    at: Revision,
}

// === impl History ===

impl History {
    pub(super) fn after(at: Revision) -> Self {
        Self { batches: VecDeque::new(), bytes: 0, at }
    }

    /// The last revision.
    pub(super) fn at(&self) -> Revision {
        self.at
    }

    /// The commit after the last.
    pub(super) fn push(&mut self, batch: Batch) {
        debug_assert_eq!(batch.revision, self.at + 1);
        self.at = batch.revision;
        self.bytes += size(&batch);
        self.batches.push_back(batch);
        while self.bytes > MOST_BYTES || self.batches.len() > MOST_BATCHES {
            let Some(oldest) = self.batches.pop_front() else { return };
            self.bytes -= size(&oldest);
        }
    }

    /// Adds what touched the range after `at`. `false` when that is not all at hand.
    pub(super) fn replay(&self, range: &KeyRange, at: Revision, out: &mut VecDeque<Batch>) -> bool {
        let known = self.batches.front().map_or(self.at, |oldest| oldest.revision - 1);
        if at < known {
            return false;
        }
        let seen = usize::try_from(at - known).unwrap_or(usize::MAX);
        out.extend(self.batches.iter().skip(seen).filter_map(|batch| select(batch, range)));
        true
    }
}

fn size(batch: &Batch) -> usize {
    let of = |event: &Event| match event {
        Event::Put { now, .. } => now.key.len() + now.value.len(),
        Event::Delete { previous } => previous.key.len() + previous.value.len(),
    };
    size_of::<Batch>()
        + batch.events.iter().map(|event| size_of::<Event>() + of(event)).sum::<usize>()
}
