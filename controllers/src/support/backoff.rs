//! Waits that grow with each failure of the same thing (client-go's `flowcontrol.Backoff`).

use jiff::Timestamp;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::time::Duration;

/// Who failed how often of late. What did not fail for twice the longest wait is forgotten.
#[derive(Debug)]
pub(crate) struct Backoffs<K> {
    first: i64,
    longest: i64,
    failed: Mutex<FxHashMap<K, Failed>>,
}

#[derive(Debug)]
struct Failed {
    wait: i64,
    at: Timestamp,
}

// === impl Backoffs ===

impl<K: Hash + Eq> Backoffs<K> {
    /// Waits of so many seconds after the first failure, and at most.
    pub(crate) fn new(first: i64, longest: i64) -> Self {
        Self { first, longest, failed: Mutex::default() }
    }

    /// Something failed. How long it has to wait still before it may be tried again; nothing when it may now, and then
    /// its next wait has begun.
    pub(crate) fn wait(&self, key: K, now: Timestamp) -> Option<Duration> {
        let mut failed = self.failed.lock();
        let since = |known: &Failed| now.as_second() - known.at.as_second();
        failed.retain(|_, known| since(known) < 2 * self.longest);
        if let Some(known) = failed.get_mut(&key) {
            let left = known.wait - since(known);
            if left > 0 {
                return Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)));
            }
            *known = Failed { wait: (known.wait * 2).min(self.longest), at: now };
        } else {
            failed.insert(key, Failed { wait: self.first, at: now });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::testing::at;

    #[test]
    fn waits_double_up_to_the_longest_and_are_forgotten() {
        let backoffs = Backoffs::new(1, 4);
        let wait = |seconds| backoffs.wait("a", at(seconds)).map(|left| left.as_secs());
        let cases = [
            (0, None),
            (0, Some(1)),
            (1, None),
            (2, Some(1)),
            (3, None),
            (4, Some(3)),
            (7, None),
            (8, Some(3)),
        ];
        for (seconds, wanted) in cases {
            assert_eq!(wait(seconds), wanted, "{seconds}");
        }
        assert_eq!(backoffs.wait("b", at(8)), None, "each for itself");
        assert_eq!(wait(20), None);
        assert_eq!(wait(20), Some(1), "it was forgotten");
    }
}
