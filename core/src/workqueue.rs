//! The queue between what happens and what is done about it.
//!
//! A key that waits already is not added twice; one that is being worked on is worked on again
//! afterwards, never twice at once. Keys that fail come back later and later. So the queue is never
//! longer than the number of keys there are. Semantics: client-go's `workqueue`.

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

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
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    dirty: FxHashSet<K>,
    processing: FxHashSet<K>,
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
            dirty: FxHashSet::default(),
            processing: FxHashSet::default(),
            later: BTreeMap::new(),
            due: FxHashMap::default(),
            failures: FxHashMap::default(),
            sequence: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), wake: Notify::new(), backoff }
    }

    /// Work on this key soon.
    pub fn add(&self, key: K) {
        let mut state = self.state.lock();
        state.add(key);
        drop(state);
        self.wake.notify_one();
    }

    /// Work on this key after `delay`, or earlier when something else asks for it.
    pub fn add_after(&self, key: K, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        self.state.lock().add_at(key, Instant::now() + delay);
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
        state.processing.remove(key);
        if state.dirty.contains(key) {
            state.ready.push_back(key.clone());
            drop(state);
            self.wake.notify_one();
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
        state.promote(Instant::now());
        let Some(key) = state.ready.pop_front() else {
            return match state.later.first_key_value() {
                Some(((due, _), _)) => Next::WaitUntil(*due),
                None => Next::Wait,
            };
        };
        state.dirty.remove(&key);
        state.processing.insert(key.clone());
        // Who waits until a key is due need not be replaced: waiters are woken in the order they came, so one
        // that knows of the key is left whenever one is left at all.
        let more = !state.ready.is_empty();
        drop(state);
        if more {
            self.wake.notify_one();
        }
        Next::Key(key)
    }
}

impl<K: Hash + Eq + Clone> State<K> {
    fn add(&mut self, key: K) {
        if let Some(due) = self.due.remove(&key) {
            self.later.remove(&due);
        }
        if self.dirty.insert(key.clone()) && !self.processing.contains(&key) {
            self.ready.push_back(key);
        }
    }

    fn add_at(&mut self, key: K, at: Instant) {
        if self.dirty.contains(&key) {
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

    fn promote(&mut self, now: Instant) {
        while let Some(entry) = self.later.first_entry()
            && entry.key().0 <= now
        {
            let key = entry.remove();
            self.due.remove(&key);
            self.add(key);
        }
    }
}

#[cfg(test)]
mod tests;
