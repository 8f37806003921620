//! What waits for one watcher.

use crate::{Batch, Error, Result};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// A bounded queue between the writer, who never waits, and one watcher.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    limit: usize,
}

struct Inner {
    batches: VecDeque<Batch>,
    waker: Option<Waker>,
    end: Option<End>,
}

enum End {
    Closed,
    Failed(Error),
}

// === impl Queue ===

impl Queue {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let inner = Inner { batches: VecDeque::new(), waker: None, end: None };
        Arc::new(Self { inner: Mutex::new(inner), limit: limit.max(1) })
    }

    /// Hands a batch over. `false` when the queue is full: the watcher is cut off and must be forgotten.
    pub(super) fn push(&self, batch: &Batch, wakers: &mut Vec<Waker>) -> bool {
        let mut inner = self.inner.lock();
        wakers.extend(inner.waker.take());
        let full = inner.batches.len() >= self.limit;
        if full {
            let at = inner.batches.back().map_or(0, |last| last.revision);
            inner.end = Some(End::Failed(Error::Overrun { at }));
        } else {
            inner.batches.push_back(batch.clone());
        }
        !full
    }

    /// Hands a report of progress over. It takes the place of one that still waits, and always fits.
    pub(super) fn progress(&self, batch: &Batch, wakers: &mut Vec<Waker>) {
        let mut inner = self.inner.lock();
        wakers.extend(inner.waker.take());
        match inner.batches.back_mut() {
            Some(last) if last.events.is_empty() => *last = batch.clone(),
            _ => inner.batches.push_back(batch.clone()),
        }
    }

    /// Nothing more comes, because of this.
    #[cfg(feature = "etcd")]
    pub(super) fn fail(&self, error: &Error) {
        self.inner.lock().end.get_or_insert_with(|| End::Failed(error.again()));
    }

    /// Nothing more comes.
    pub(super) fn close(&self, wakers: &mut Vec<Waker>) {
        let mut inner = self.inner.lock();
        wakers.extend(inner.waker.take());
        inner.end.get_or_insert(End::Closed);
    }

    /// Moves all that waits into `out`, which is empty. Ready with `None` when nothing more comes.
    pub(crate) fn poll_take(
        &self,
        cx: &Context<'_>,
        out: &mut VecDeque<Batch>,
    ) -> Poll<Option<Result<()>>> {
        let mut inner = self.inner.lock();
        if !inner.batches.is_empty() {
            std::mem::swap(&mut inner.batches, out);
            return Poll::Ready(Some(Ok(())));
        }
        match inner.end.replace(End::Closed) {
            Some(End::Failed(error)) => Poll::Ready(Some(Err(error))),
            Some(End::Closed) => Poll::Ready(None),
            None => {
                inner.end = None;
                inner.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
