//! One watch in etcd for all watchers of this store.
//!
//! It sees every revision, so it knows when a watcher has everything up to one: etcd's own reports of progress may
//! overtake events (before 3.4.25 and 3.5.8). It lives as long as somebody watches.

mod history;

use super::members::Members;
use super::source::Source;
use crate::mvcc::hub::{Hub, Place};
use crate::{Batch, Error, KeyRange, Result, Revision};
use history::History;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Brings what happens to the watchers.
pub(super) struct Feed {
    inner: Mutex<Inner>,
    /// How far it has come; also told when it should look whether to stop.
    at: watch::Sender<Revision>,
    queue_limit: usize,
}

struct Inner {
    hub: Hub,
    history: History,
    /// How often progress was asked for, and the revision of the last time.
    asked: u64,
    asked_at: Revision,
    watchers: usize,
    /// Ends when this revision was brought, or at the moment.
    closing: Option<(Revision, Instant)>,
    end: Option<End>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Failed,
}

/// A watcher's hold on the feed.
pub(super) struct Guest {
    feed: Arc<Feed>,
    /// How often progress had been asked for when it came.
    asked: u64,
    place: Option<Place>,
}

/// Closes the feed when its task ends, also when the runtime goes down.
struct Closing(Arc<Feed>);

// === impl Feed ===

impl Feed {
    /// Starts after revision `at`, with its first watcher.
    pub(super) fn start(members: Arc<Members>, at: Revision, queue_limit: usize) -> Guest {
        let inner = Inner {
            hub: Hub::default(),
            history: History::after(at),
            asked: 0,
            asked_at: 0,
            watchers: 1,
            closing: None,
            end: None,
        };
        let inner = Mutex::new(inner);
        let feed = Arc::new(Self { inner, at: watch::Sender::new(at), queue_limit });
        tokio::spawn(run(Closing(feed.clone()), Source::after(members, at)));
        Guest { feed, asked: 0, place: None }
    }

    /// One more watcher; `None` when the feed has ended.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Guest> {
        let mut inner = self.inner.lock();
        if inner.end.is_some() || inner.watchers == 0 {
            return None;
        }
        inner.watchers += 1;
        Some(Guest { feed: self.clone(), asked: inner.asked, place: None })
    }

    /// Reports progress to all when everything up to `revision` was brought.
    pub(super) fn request_progress(&self, revision: Revision) {
        let mut inner = self.inner.lock();
        inner.asked += 1;
        inner.asked_at = inner.asked_at.max(revision);
        let wakers = inner.report_progress();
        drop(inner);
        wake(wakers);
    }

    /// Waits until everything up to `revision` was brought, or the feed ended.
    pub(super) async fn reached(&self, revision: Revision) {
        let mut at = self.at.subscribe();
        let there = |at: &Revision| *at >= revision || self.inner.lock().end.is_some();
        at.wait_for(there).await.expect("the sender is borrowed");
    }

    /// Ends when everything up to `revision` was brought, or after `patience`.
    pub(super) fn close_after(&self, revision: Revision, patience: Duration) {
        self.inner.lock().closing = Some((revision, Instant::now() + patience));
        self.at.send_modify(|_| {});
    }

    /// Waits until it should end.
    async fn over(&self) {
        let mut at = self.at.subscribe();
        loop {
            at.mark_unchanged();
            let closing = {
                let inner = self.inner.lock();
                if inner.watchers == 0 || inner.is_closed() {
                    return;
                }
                inner.closing
            };
            let until = async {
                match closing {
                    Some((_, until)) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = until => return,
                changed = at.changed() => changed.expect("the sender is borrowed"),
            }
        }
    }

    fn publish(&self, batches: Vec<Batch>) {
        let mut inner = self.inner.lock();
        let mut wakers = inner.hub.publish(&batches);
        batches.into_iter().for_each(|batch| inner.history.push(batch));
        wakers.extend(inner.report_progress());
        let at = inner.history.at();
        drop(inner);
        self.at.send_replace(at);
        wake(wakers);
    }

    fn fail(&self, error: &Error) {
        let mut inner = self.inner.lock();
        inner.end = Some(End::Failed);
        let wakers = inner.hub.fail(error);
        drop(inner);
        self.at.send_modify(|_| {});
        wake(wakers);
    }

    fn close(&self) {
        let mut inner = self.inner.lock();
        inner.end.get_or_insert(End::Closed);
        let wakers = inner.hub.close();
        drop(inner);
        self.at.send_modify(|_| {});
        wake(wakers);
    }
}

async fn run(feed: Closing, mut source: Source) {
    let feed = &feed.0;
    loop {
        tokio::select! {
            biased;
            () = feed.over() => return,
            batches = source.next() => match batches {
                Ok(batches) => feed.publish(batches),
                Err(error) => return feed.fail(&error),
            },
        }
    }
}

fn wake(wakers: Vec<Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

// === impl Inner ===

impl Inner {
    /// Reports progress if it was asked for and is due.
    fn report_progress(&mut self) -> Vec<Waker> {
        let at = self.history.at();
        if self.asked_at == 0 || at < self.asked_at {
            return Vec::new();
        }
        self.asked_at = 0;
        self.hub.progress(at)
    }

    fn is_closed(&self) -> bool {
        self.closing.is_some_and(|(revision, _)| self.history.at() >= revision)
    }
}

// === impl Guest ===

impl Guest {
    /// Takes part from now on: puts all that touched the range after `at` into `ready`, and has a place in the
    /// queue for what comes. `false` when what came after `at` is not at hand.
    ///
    /// # Errors
    /// [`Error::Overrun`] when the feed has failed.
    pub(super) fn join(
        &mut self,
        range: &KeyRange,
        at: Revision,
        ready: &mut VecDeque<Batch>,
    ) -> Result<bool> {
        let mut inner = self.feed.inner.lock();
        if inner.end == Some(End::Failed) {
            return Err(Error::Overrun { at });
        }
        if !inner.history.replay(range, at, ready) {
            return Ok(false);
        }
        if inner.asked > self.asked && inner.asked_at == 0 {
            ready.push_back(Batch { revision: inner.history.at(), events: Arc::new([]) });
        }
        self.place = Some(inner.hub.add(range.clone(), self.feed.queue_limit));
        if inner.end.is_some() {
            inner.hub.close();
        }
        Ok(true)
    }

    /// The place in the queue, for one who takes part.
    pub(super) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    pub(super) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inner = self.feed.inner.lock();
        if let Some(place) = &self.place {
            inner.hub.remove(place);
        }
        inner.watchers -= 1;
        let last = inner.watchers == 0;
        drop(inner);
        if last {
            self.feed.at.send_modify(|_| {});
        }
    }
}
