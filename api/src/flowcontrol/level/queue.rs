//! One of a level's queues.

use super::Width;
use std::collections::VecDeque;

/// One of a level's queues.
pub(super) struct Queue<T> {
    pub(super) waiting: VecDeque<Waiting<T>>,
    pub(super) waiting_seats: u64,
    pub(super) in_use: u32,
    /// The virtual time at which its next request starts.
    pub(super) next_start: f64,
}

/// A request in it.
pub(super) struct Waiting<T> {
    pub(super) number: u64,
    pub(super) width: Width,
    pub(super) tell: T,
}

// === impl Queue ===

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), waiting_seats: 0, in_use: 0, next_start: 0.0 }
    }

    /// Whether it has no request at all.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_use == 0
    }
}
