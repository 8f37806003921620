//! The queue between what happens and what is done about it.
//!
//! A key that waits already is not added twice; one that is being worked on is worked on again
//! afterwards, never twice at once. Keys that fail come back later and later. So the queue is never
//! longer than the number of keys there are. Semantics: client-go's `workqueue`.
//!
//! It is fair to keys: they are handed out in the order in which they came, and a key that comes again queues up at
//! the end. So between two turns of a key every other key that waited has had one, however often the first is added.

use crate::metrics::{Metrics, QueueMetrics, QueueState};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Room for so many keys stays when a burst is over.
const ROOM: usize = 1024;

/// How long a key that failed waits: doubled with each failure in a row.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// Never longer than this.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(5), max: Duration::from_secs(1000) }
    }
}

impl Backoff {
    /// The wait after so many failures in a row, the first being 0.
    #[must_use]
    pub fn wait(&self, failures: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(failures.min(31))).min(self.max)
    }
}

/// A deduplicating, delaying, rate-limiting queue. Shared by reference; all methods may be called from many tasks.
#[derive(Debug)]
pub struct WorkQueue<K> {
    state: Mutex<State<K>>,
    wake: Notify,
    backoff: Backoff,
    metrics: Option<QueueMetrics>,
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    /// Since when each key waits.
    dirty: FxHashMap<K, Instant>,
    /// Since when each key is being worked on.
    processing: FxHashMap<K, Instant>,
    later: BTreeMap<(Instant, u64), K>,
    due: FxHashMap<K, (Instant, u64)>,
    failures: FxHashMap<K, u32>,
    sequence: u64,
    closed: bool,
}

enum Next<K> {
    Key(K),
    WaitUntil(Instant),
    Wait,
    Closed,
}

impl<K: Hash + Eq + Clone> Default for WorkQueue<K> {
    fn default() -> Self {
        Self::new(Backoff::default())
    }
}

impl<K: Hash + Eq + Clone> WorkQueue<K> {
    /// An empty queue.
    #[must_use]
    pub fn new(backoff: Backoff) -> Self {
        let state = State {
            ready: VecDeque::new(),
            dirty: FxHashMap::default(),
            processing: FxHashMap::default(),
            later: BTreeMap::new(),
            due: FxHashMap::default(),
            failures: FxHashMap::default(),
            sequence: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), wake: Notify::new(), backoff, metrics: None }
    }

    /// An empty queue that is counted under a name.
    #[must_use]
    pub fn named(name: &'static str, backoff: Backoff, metrics: &Metrics) -> Arc<Self>
    where
        K: Send + Sync + 'static,
    {
        let counted = Self { metrics: Some(metrics.queue(name)), ..Self::new(backoff) };
        let queue = Arc::new(counted);
        let weak = Arc::downgrade(&queue);
        metrics.follow(name, weak as Weak<dyn QueueState>);
        queue
    }

    /// Work on this key soon.
    pub fn add(&self, key: K) {
        let new = self.state.lock().add(key, Instant::now());
        self.count_adds(new.into());
        self.wake.notify_one();
    }

    /// Work on this key after `delay`, or earlier when something else asks for it.
    pub fn add_after(&self, key: K, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        self.state.lock().add_at(key, Instant::now() + delay);
        self.count_retry();
        self.wake.notify_one();
    }

    /// Work on this key again because it failed: after a wait that grows with each failure in a row.
    /// Says how many there are by now.
    pub fn add_rate_limited(&self, key: K) -> u32 {
        let mut state = self.state.lock();
        let failures = state.failures.entry(key.clone()).or_insert(0);
        let wait = self.backoff.wait(*failures);
        *failures += 1;
        let failures = *failures;
        state.add_at(key, Instant::now() + wait);
        drop(state);
        self.count_retry();
        self.wake.notify_one();
        failures
    }

    /// This key succeeded: its next failure is a first one.
    pub fn forget(&self, key: &K) {
        self.state.lock().failures.remove(key);
    }

    /// The next key; waits for one. `None` once the queue is closed. Call [`WorkQueue::done`] afterwards.
    pub async fn next(&self) -> Option<K> {
        loop {
            let woken = self.wake.notified();
            match self.take() {
                Next::Key(key) => return Some(key),
                Next::Closed => return None,
                Next::Wait => woken.await,
                // Running out of time is what is waited for: the key is due then.
                Next::WaitUntil(due) => drop(tokio::time::timeout_at(due, woken).await),
            }
        }
    }

    /// The work on this key has ended, well or not.
    pub fn done(&self, key: &K) {
        let mut state = self.state.lock();
        let began = state.processing.remove(key);
        let again = state.dirty.contains_key(key);
        if again {
            state.ready.push_back(key.clone());
        }
        drop(state);
        if again {
            self.wake.notify_one();
        }
        if let (Some(metrics), Some(began)) = (&self.metrics, began) {
            metrics.works.observe(began.elapsed().as_secs_f64());
        }
    }

    /// Nothing more is handed out.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_waiters();
        self.wake.notify_one();
    }

    /// How many keys wait to be worked on now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().ready.len()
    }

    /// Whether no key waits to be worked on now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&self) -> Next<K> {
        let mut state = self.state.lock();
        if state.closed {
            self.wake.notify_one();
            return Next::Closed;
        }
        let now = Instant::now();
        self.count_adds(state.promote(now));
        let Some(key) = state.ready.pop_front() else {
            return match state.later.first_key_value() {
                Some(((due, _), _)) => Next::WaitUntil(*due),
                None => Next::Wait,
            };
        };
        let since = state.dirty.remove(&key);
        state.processing.insert(key.clone(), now);
        state.relax();
        // Who waits until a key is due need not be replaced: waiters are woken in the order they came, so one
        // that knows of the key is left whenever one is left at all.
        let more = !state.ready.is_empty();
        drop(state);
        if more {
            self.wake.notify_one();
        }
        if let (Some(metrics), Some(since)) = (&self.metrics, since) {
            metrics.waits.observe((now - since).as_secs_f64());
        }
        Next::Key(key)
    }

    fn count_adds(&self, adds: u64) {
        if let Some(metrics) = &self.metrics {
            metrics.adds.inc_by(adds);
        }
    }

    fn count_retry(&self) {
        if let Some(metrics) = &self.metrics {
            metrics.retries.inc();
        }
    }
}

impl<K: Send + Sync> QueueState for WorkQueue<K> {
    fn state(&self) -> (usize, Vec<Duration>) {
        let state = self.state.lock();
        (state.ready.len(), state.processing.values().map(Instant::elapsed).collect())
    }
}

impl<K: Hash + Eq + Clone> State<K> {
    /// Whether the key did not wait already.
    fn add(&mut self, key: K, now: Instant) -> bool {
        if let Some(due) = self.due.remove(&key) {
            self.later.remove(&due);
        }
        if self.dirty.contains_key(&key) {
            return false;
        }
        self.dirty.insert(key.clone(), now);
        if !self.processing.contains_key(&key) {
            self.ready.push_back(key);
        }
        true
    }

    /// Gives back what a burst took, when it is over.
    fn relax(&mut self) {
        if self.dirty.is_empty() && self.dirty.capacity() > 2 * ROOM {
            self.dirty.shrink_to(ROOM);
            self.ready.shrink_to(ROOM);
        }
    }

    fn add_at(&mut self, key: K, at: Instant) {
        if self.dirty.contains_key(&key) {
            return;
        }
        if let Some(due) = self.due.get(&key).copied() {
            if due.0 <= at {
                return;
            }
            self.later.remove(&due);
        }
        self.sequence += 1;
        self.due.insert(key.clone(), (at, self.sequence));
        self.later.insert((at, self.sequence), key);
    }

    /// Moves what is due; how many keys that were.
    fn promote(&mut self, now: Instant) -> u64 {
        let mut adds = 0;
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let key = entry.remove();
            self.due.remove(&key);
            adds += u64::from(self.add(key, now));
        }
        adds
    }
}

#[cfg(test)]
mod tests;
