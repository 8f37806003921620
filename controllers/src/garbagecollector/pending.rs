//! Caches that are not complete yet: what the graph says of dependents may miss some.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;
use windlass_core::component::{Ready, Shutdown};

/// What the graph waits for.
#[derive(Default)]
pub(super) struct Pending(Mutex<Vec<One>>);

struct One {
    synced: Ready,
    stop: Shutdown,
    since: Instant,
}

// === impl Pending ===

impl Pending {
    /// Something is known once this is set, or of no interest any more once it is stopped.
    pub(super) fn begin(&self, synced: &Ready, stop: &Shutdown) {
        let one = One { synced: synced.clone(), stop: stop.clone(), since: Instant::now() };
        self.0.lock().push(one);
    }

    /// Whether all is known, but for what has been waited for so long.
    pub(super) fn is_over(&self, patience: Duration) -> bool {
        let mut all = self.0.lock();
        all.retain(|one| !one.synced.is_set() && !one.stop.is_cancelled());
        all.iter().all(|one| one.since.elapsed() >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_known_yet_is_waited_for() {
        let (pending, wait) = (Pending::default(), Duration::from_secs(30));
        assert!(pending.is_over(Duration::MAX), "nothing is followed");
        let (first, second, stop) = (Ready::default(), Ready::default(), Shutdown::new());
        pending.begin(&first, &Shutdown::new());
        pending.begin(&second, &stop);
        first.set();
        assert!(!pending.is_over(wait));
        tokio::time::advance(wait).await;
        assert!(pending.is_over(wait) && !pending.is_over(Duration::MAX));
        stop.cancel();
        assert!(pending.is_over(Duration::MAX));
    }
}
