//! The stream that a watcher reads.

use super::feed::Guest;
use super::source::Source;
use crate::mvcc::select;
use crate::{Batch, KeyRange, Result, Revision, WatchStream};
use futures::future::poll_fn;
use futures::stream::unfold;
use std::collections::VecDeque;

/// First what is long past, out of a watch of its own, then what comes, out of the feed that all share.
pub(super) struct Watcher {
    guest: Guest,
    range: KeyRange,
    /// The last revision that was given out, or after which it began.
    at: Revision,
    ready: VecDeque<Batch>,
    /// The past; `None` for one who takes part in the feed.
    past: Option<Source>,
    failed: bool,
}

// === impl Watcher ===

impl Watcher {
    /// Takes part in the feed at once, if that remembers what came after `at`; else reads it from `past`.
    ///
    /// # Errors
    /// [`crate::Error::Overrun`] when the feed has failed.
    pub(super) fn new(
        mut guest: Guest,
        range: KeyRange,
        at: Revision,
        past: impl FnOnce() -> Source,
    ) -> Result<Self> {
        let mut ready = VecDeque::new();
        let past = if guest.join(&range, at, &mut ready)? { None } else { Some(past()) };
        Ok(Self { guest, range, at, ready, past, failed: false })
    }

    pub(super) fn into_stream(self) -> WatchStream {
        Box::pin(unfold(self, async |mut watcher| {
            let next = watcher.next().await?;
            watcher.failed = next.is_err();
            Some((next, watcher))
        }))
    }

    async fn next(&mut self) -> Option<Result<Batch>> {
        while !self.failed {
            while let Some(batch) = self.ready.pop_front() {
                if let Some(batch) = self.accept(batch) {
                    return Some(Ok(batch));
                }
            }
            let more = match &self.past {
                Some(_) => self.read_past().await,
                None => self.read_queue().await?,
            };
            if let Err(error) = more {
                return Some(Err(error));
            }
        }
        None
    }

    /// Leaves out what came before its beginning: the feed may be behind the reader.
    fn accept(&mut self, mut batch: Batch) -> Option<Batch> {
        if batch.events.is_empty() {
            batch.revision = batch.revision.max(self.at);
        } else if batch.revision <= self.at {
            return None;
        }
        self.at = batch.revision;
        Some(batch)
    }

    async fn read_queue(&mut self) -> Option<Result<()>> {
        let place = self.guest.place().expect("who has no past takes part in the feed");
        poll_fn(|cx| place.queue.poll_take(cx, &mut self.ready)).await
    }

    async fn read_past(&mut self) -> Result<()> {
        let past = self.past.as_mut().expect("looked at above");
        let batches = past.next().await?;
        self.ready.extend(batches.iter().filter_map(|batch| select(batch, &self.range)));
        if self.guest.join(&self.range, past.at(), &mut self.ready)? {
            self.past = None;
        }
        Ok(())
    }
}
