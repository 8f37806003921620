//! Answers that hold for a while.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::time::Duration;
use tokio::time::Instant;

/// A map of at most so many entries, each with an end. Nothing runs to remove them: what is over is not found, and goes when
/// room is needed; when there is still none, all go.
pub(crate) struct Expiring<K, V> {
    most: usize,
    entries: Mutex<FxHashMap<K, (Instant, V)>>,
}

// === impl Expiring ===

impl<K: Hash + Eq, V: Clone> Expiring<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, entries: Mutex::default() }
    }

    /// What is known, if it still holds.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock();
        let (until, value) = entries.get(key)?;
        (Instant::now() < *until).then(|| value.clone())
    }

    /// Holds for so long from now; not at all when that is zero.
    pub(crate) fn insert(&self, key: K, value: V, time: Duration) {
        if time.is_zero() {
            return;
        }
        let now = Instant::now();
        let mut entries = self.entries.lock();
        if entries.len() >= self.most {
            entries.retain(|_, (until, _)| now < *until);
        }
        if entries.len() >= self.most {
            entries.clear();
        }
        entries.insert(key, (now + time, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn entries_end_and_make_room() {
        let map = Expiring::new(2);
        map.insert("a", 1, Duration::from_secs(10));
        map.insert("b", 2, Duration::from_secs(20));
        map.insert("c", 3, Duration::ZERO);
        assert_eq!((map.get(&"a"), map.get(&"b"), map.get(&"c")), (Some(1), Some(2), None));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!((map.get(&"a"), map.get(&"b")), (None, Some(2)));
        map.insert("c", 3, Duration::from_secs(10));
        assert_eq!((map.get(&"b"), map.get(&"c")), (Some(2), Some(3)), "what is over made room");
        map.insert("d", 4, Duration::from_secs(10));
        assert_eq!(map.get(&"d"), Some(4));
        assert!(map.entries.lock().len() <= 2);
    }
}
