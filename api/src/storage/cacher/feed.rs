//! The task that follows the store.

use super::{Cache, Feed};
use crate::storage::{Kv, Resource, store_status};
use futures::StreamExt;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use windlass_core::component::Shutdown;
use windlass_core::meta::Status;
use windlass_store::{Batch, Event, Revision, WatchStream};

/// How often watchers hear how far everything came, and old history is looked at.
const TICK: Duration = Duration::from_secs(60);
/// So many steps of history can be read: five minutes, or less when much is written.
const HISTORY: usize = 5;
/// So many bytes of new objects are a step, however short it took.
const STEP: usize = 64 << 20;
/// Waiting time after the store's watch broke.
const AGAIN: Duration = Duration::from_millis(100);

/// Follows the store until `shutdown`.
pub(super) async fn run(feed: Arc<Feed>, kv: Kv, mut stream: WatchStream, shutdown: Shutdown) {
    let work = async {
        let mut history = History::default();
        let mut tick = interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                batch = stream.next() => match batch {
                    Some(Ok(batch)) => {
                        feed.apply(&batch);
                        if history.is_full_with(&batch) {
                            history.step(&kv, batch.revision).await;
                        }
                    }
                    broken => stream = feed.recover(&kv, broken.and_then(Result::err)).await,
                },
                _ = tick.tick() => {
                    feed.bookmark();
                    let reached = *feed.reached.borrow();
                    history.step(&kv, reached).await;
                }
            }
        }
    };
    // Ends by the shutdown only.
    shutdown.run_until_cancelled(work).await;
    feed.reset();
}

// === impl Feed ===

impl Feed {
    /// Begins to watch all objects from now on: from the revision that is returned.
    pub(super) async fn follow(&self, kv: &Kv) -> Result<(WatchStream, Revision), Status> {
        let revision = kv.revision().await?;
        let stream = kv.backend().watch(Resource::everything(), revision).await;
        Ok((stream.map_err(|error| store_status(&error))?, revision))
    }

    /// Puts a commit into the caches it concerns.
    fn apply(&self, batch: &Batch) {
        match &batch.events[..] {
            [] => {}
            [event] => self.apply_to(event.key(), batch.revision, &[event]),
            events => self.apply_many(batch.revision, events),
        }
        self.reached.send_if_modified(|reached| {
            let newer = batch.revision > *reached;
            *reached = batch.revision.max(*reached);
            newer
        });
    }

    /// The events of one commit reach a cache together.
    fn apply_many(&self, revision: Revision, events: &[Event]) {
        let mut done: SmallVec<[&[u8]; 4]> = SmallVec::new();
        for event in events {
            let Some(prefix) = Resource::prefix_of(event.key()) else { continue };
            if done.contains(&prefix) {
                continue;
            }
            done.push(prefix);
            let together: SmallVec<[&Event; 4]> =
                events.iter().filter(|event| event.key().starts_with(prefix)).collect();
            self.apply_to(prefix, revision, &together);
        }
    }

    fn apply_to(&self, key: &[u8], revision: Revision, events: &[&Event]) {
        if let Some(cache) = Resource::prefix_of(key).and_then(|prefix| self.of(prefix)) {
            cache.apply(revision, events);
        }
    }

    fn of(&self, prefix: &[u8]) -> Option<Arc<Cache>> {
        self.caches.read().get(prefix).cloned()
    }

    fn bookmark(&self) {
        let caches: Vec<_> = self.caches.read().values().cloned().collect();
        caches.iter().for_each(|cache| cache.bookmark(&self.reached));
    }

    /// Throws all caches away: what happened meanwhile is not known.
    fn reset(&self) {
        let caches = std::mem::take(&mut *self.caches.write());
        caches.values().for_each(|cache| cache.close());
    }

    /// Watches the store again, as soon as that works.
    async fn recover(&self, kv: &Kv, why: Option<windlass_store::Error>) -> WatchStream {
        let why = why.map_or_else(|| "it ended".to_owned(), |error| error.to_string());
        tracing::warn!(%why, "the watch of the store broke; all caches are loaded again");
        loop {
            tokio::time::sleep(AGAIN).await;
            // Anew each time: a cache that was loaded before the watch began has a hole.
            self.reset();
            match self.follow(kv).await {
                Ok((stream, revision)) => {
                    self.reset();
                    // Only now: nobody may take a cache with a hole for one that came this far.
                    self.reached.send_replace(revision);
                    return stream;
                }
                Err(status) => tracing::warn!(%status, "the store can't be watched"),
            }
        }
    }
}

/// The revisions at the last steps.
#[derive(Default)]
struct History {
    steps: VecDeque<Revision>,
    /// Bytes that were written since the last.
    written: usize,
}

impl History {
    /// Whether the time has come for a step, with what was written now.
    fn is_full_with(&mut self, batch: &Batch) -> bool {
        let bytes = batch.events.iter().map(|event| match event {
            Event::Put { now, .. } => now.value.len(),
            Event::Delete { .. } => 0,
        });
        self.written += bytes.sum::<usize>();
        self.written > STEP
    }

    /// Forgets what is older than [`HISTORY`] steps.
    async fn step(&mut self, kv: &Kv, revision: Revision) {
        self.written = 0;
        self.steps.push_back(revision);
        if self.steps.len() > HISTORY
            && let Some(old) = self.steps.pop_front()
            && let Err(error) = kv.backend().compact(old).await
        {
            tracing::warn!(%error, "history can't be compacted");
        }
    }
}
