//! The stream that a watcher reads.

use super::Mvcc;
use super::hub::Place;
use crate::{Batch, Result};
use futures::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Weak;
use std::task::{Context, Poll, ready};

/// First what was to be replayed, then what comes. Dropping it ends the watch.
pub(crate) struct Watcher {
    mvcc: Weak<Mvcc>,
    place: Place,
    /// Taken out of the queue, or replayed, but not read yet.
    ready: VecDeque<Batch>,
}

// === impl Watcher ===

impl Watcher {
    pub(super) fn new(mvcc: Weak<Mvcc>, place: Place, ready: VecDeque<Batch>) -> Self {
        Self { mvcc, place, ready }
    }
}

impl Stream for Watcher {
    type Item = Result<Batch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { place, ready, .. } = &mut *self;
        if ready.is_empty()
            && let Some(Err(error)) = ready!(place.queue.poll_take(cx, ready))
        {
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Ready(ready.pop_front().map(Ok))
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(mvcc) = self.mvcc.upgrade() {
            mvcc.forget_watcher(&self.place);
        }
    }
}
