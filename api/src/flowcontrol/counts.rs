//! What is counted for a FlowSchema.

use prometheus_client::metrics::histogram::Histogram;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in seconds, as Kubernetes has them.
const SECONDS: [f64; 13] = [0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0];

/// What is counted for one FlowSchema in one level.
pub(crate) struct Counts {
    dispatched: AtomicU64,
    full: AtomicU64,
    limit: AtomicU64,
    late: AtomicU64,
    /// Seconds that requests waited which were let in at last.
    waited: Histogram,
    /// Seconds that requests waited in vain.
    waited_in_vain: Histogram,
    /// Seconds that requests had their seats.
    held: Histogram,
}

/// What metrics show of a FlowSchema.
pub(crate) struct SchemaStats {
    pub(crate) name: String,
    pub(crate) level: String,
    pub(crate) dispatched: u64,
    /// By reason.
    pub(crate) refused: [(&'static str, u64); 3],
    /// By whether they were let in at last.
    pub(crate) waited: [(bool, Histogram); 2],
    pub(crate) held: Histogram,
}

// === impl Counts ===

impl Default for Counts {
    fn default() -> Self {
        let [waited, waited_in_vain, held] = [(); 3].map(|()| Histogram::new(SECONDS));
        Self {
            dispatched: AtomicU64::new(0),
            full: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            late: AtomicU64::new(0),
            waited,
            waited_in_vain,
            held,
        }
    }
}

impl Counts {
    /// A request was let in. Where it is to be noted how long it had its seats.
    pub(super) fn dispatched(&self, waited: Duration) -> Histogram {
        self.dispatched.fetch_add(1, Ordering::Relaxed);
        self.waited.observe(waited.as_secs_f64());
        self.held.clone()
    }

    /// A request was not let in.
    pub(super) fn refused(&self, why: &'static str, waited: Duration) {
        let count = match why {
            "queue-full" => &self.full,
            "concurrency-limit" => &self.limit,
            _ => &self.late,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.waited_in_vain.observe(waited.as_secs_f64());
    }

    pub(super) fn stats(&self, name: &str, level: &str) -> SchemaStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SchemaStats {
            name: name.to_owned(),
            level: level.to_owned(),
            dispatched: read(&self.dispatched),
            refused: [
                ("queue-full", read(&self.full)),
                ("concurrency-limit", read(&self.limit)),
                ("time-out", read(&self.late)),
            ],
            waited: [(true, self.waited.clone()), (false, self.waited_in_vain.clone())],
            held: self.held.clone(),
        }
    }
}
