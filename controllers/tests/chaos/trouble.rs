//! What goes wrong, and when.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use windlass_core::clock::{Random, Seeded};

/// Draws from a seed what goes wrong, until it is called off.
pub(crate) struct Trouble {
    random: Seeded,
    over: AtomicBool,
    kills: AtomicU32,
}

impl Trouble {
    pub(crate) fn new(seed: u64) -> Self {
        let (random, over, kills) = (Seeded::new(seed), AtomicBool::new(false), AtomicU32::new(0));
        Self { random, over, kills }
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub(crate) fn killed(&self) {
        self.kills.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn kills(&self) -> u32 {
        self.kills.load(Ordering::SeqCst)
    }

    /// Whether it happens now, which it does so many times of a hundred.
    pub(crate) fn happens(&self, percent: u64) -> bool {
        !self.is_over() && self.random.next() % 100 < percent
    }

    /// How often the next life is polled, mostly seldom, and how long it lasts.
    pub(crate) fn life(&self) -> (u64, Duration) {
        let longest = 1 << (self.random.next() % 10);
        let polls = 1 + self.random.next() % longest;
        (polls, Duration::from_millis(1 + self.random.next() % 10_000))
    }

    /// A moment, during which others go on; mostly short.
    pub(crate) async fn pause(&self) {
        if self.is_over() {
            return;
        }
        let longest = if self.happens(10) { 2000 } else { 20 };
        tokio::time::sleep(Duration::from_millis(self.random.next() % longest)).await;
    }
}
