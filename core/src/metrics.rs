//! What controllers count, under the names of controller-runtime and client-go, as text for Prometheus.
//!
//! A controller counts with [`Metrics::process`] unless it is given others, as programs written with controller-runtime
//! do: a process has one page of metrics.

mod text;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

type Name = [(&'static str, &'static str); 1];
type NameAndResult = [(&'static str, &'static str); 2];
type Histograms = Family<Name, Histogram, fn() -> Histogram>;

/// Upper bounds in seconds (controller-runtime's).
const RECONCILE: [f64; 36] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9,
    1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 15.0, 30.0,
    60.0,
];

/// Metrics of a process, or of a part of it. Clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    reconciles: Family<NameAndResult, Counter>,
    errors: Family<Name, Counter>,
    times: Histograms,
    limits: Family<Name, Gauge>,
    active: Family<Name, Gauge>,
    adds: Family<Name, Counter>,
    retries: Family<Name, Counter>,
    waits: Histograms,
    works: Histograms,
    queues: Mutex<Vec<(&'static str, Weak<dyn QueueState>)>>,
    leaders: Mutex<BTreeMap<String, bool>>,
}

/// What is read of a queue when somebody asks.
pub(crate) trait QueueState: Send + Sync {
    /// How many keys wait, and since when each key is being worked on.
    fn state(&self) -> (usize, Vec<Duration>);
}

/// What a queue counts.
#[derive(Clone, Debug)]
pub(crate) struct QueueMetrics {
    pub(crate) adds: Counter,
    pub(crate) retries: Counter,
    pub(crate) waits: Histogram,
    pub(crate) works: Histogram,
}

/// What a controller counts.
#[derive(Clone, Debug)]
pub(crate) struct ControllerMetrics {
    results: [Counter; 3],
    errors: Counter,
    times: Histogram,
    pub(crate) limit: Gauge,
    pub(crate) active: Gauge,
}

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    RequeueAfter,
    Error,
}

// === impl Metrics ===

impl Default for Metrics {
    /// New ones, all zero.
    fn default() -> Self {
        let decades = || Histogram::new(exponential_buckets(1e-8, 10.0, 12));
        let mut inner = Inner {
            registry: Registry::default(),
            reconciles: Family::default(),
            errors: Family::default(),
            times: Family::new_with_constructor(|| Histogram::new(RECONCILE)),
            limits: Family::default(),
            active: Family::default(),
            adds: Family::default(),
            retries: Family::default(),
            waits: Family::new_with_constructor(decades),
            works: Family::new_with_constructor(decades),
            queues: Mutex::default(),
            leaders: Mutex::default(),
        };
        inner.register();
        Self(Arc::new(inner))
    }
}

impl Metrics {
    /// Those of this process.
    pub fn process() -> &'static Self {
        static PROCESS: OnceLock<Metrics> = OnceLock::new();
        PROCESS.get_or_init(Self::default)
    }

    /// Whether this process leads, for the Lease of this name.
    pub(crate) fn leads(&self, lease: &str, leads: bool) {
        self.0.leaders.lock().insert(lease.into(), leads);
    }

    pub(crate) fn queue(&self, name: &'static str) -> QueueMetrics {
        let name = [("name", name)];
        let Inner { adds, retries, waits, works, .. } = &*self.0;
        QueueMetrics {
            adds: adds.get_or_create_owned(&name),
            retries: retries.get_or_create_owned(&name),
            waits: waits.get_or_create_owned(&name),
            works: works.get_or_create_owned(&name),
        }
    }

    /// Reads the state of a queue whenever somebody asks, as long as there is the queue.
    pub(crate) fn follow(&self, name: &'static str, queue: Weak<dyn QueueState>) {
        let mut queues = self.0.queues.lock();
        queues.retain(|(_, queue)| queue.strong_count() > 0);
        queues.push((name, queue));
    }

    pub(crate) fn controller(&self, name: &'static str) -> ControllerMetrics {
        let Inner { reconciles, errors, times, limits, active, .. } = &*self.0;
        let result =
            |result| reconciles.get_or_create_owned(&[("controller", name), ("result", result)]);
        let name = [("controller", name)];
        ControllerMetrics {
            results: ["success", "requeue_after", "error"].map(result),
            errors: errors.get_or_create_owned(&name),
            times: times.get_or_create_owned(&name),
            limit: limits.get_or_create_owned(&name),
            active: active.get_or_create_owned(&name),
        }
    }
}

impl Inner {
    fn register(&mut self) {
        let Self { registry, reconciles, errors, times, limits, active, .. } = self;
        let name = |name: &str| format!("controller_runtime_{name}");
        registry.register(name("reconcile"), "Reconciles by how they ended", reconciles.clone());
        registry.register(name("reconcile_errors"), "Reconciles that failed", errors.clone());
        registry.register(name("reconcile_time_seconds"), "Time a reconcile took", times.clone());
        let help = "How many requests may be worked on at once";
        registry.register(name("max_concurrent_reconciles"), help, limits.clone());
        registry.register(name("active_workers"), "Requests being worked on", active.clone());
        let Self { registry, adds, retries, waits, works, .. } = self;
        registry.register("workqueue_adds", "Keys that were added", adds.clone());
        registry.register("workqueue_retries", "Keys to be worked on later", retries.clone());
        let name = "workqueue_queue_duration_seconds";
        registry.register(name, "Time a key waited", waits.clone());
        let name = "workqueue_work_duration_seconds";
        registry.register(name, "Time a key was worked on", works.clone());
    }
}

// === impl ControllerMetrics ===

impl ControllerMetrics {
    pub(crate) fn note(&self, outcome: Outcome, took: Duration) {
        self.results[outcome as usize].inc();
        if outcome == Outcome::Error {
            self.errors.inc();
        }
        self.times.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workqueue::WorkQueue;

    #[tokio::test(start_paused = true)]
    async fn the_page_shows_counts_and_what_is_under_way() {
        let metrics = Metrics::default();
        let queue = WorkQueue::named("web", crate::workqueue::Backoff::default(), &metrics);
        queue.add("a");
        queue.add("a");
        queue.add("b");
        assert_eq!(queue.next().await, Some("a"));
        tokio::time::advance(Duration::from_secs(3)).await;
        metrics.controller("web").note(Outcome::Error, Duration::from_millis(20));
        metrics.leads("lock", true);
        let page = metrics.text();
        for line in [
            r#"workqueue_adds_total{name="web"} 2"#,
            r#"workqueue_depth{name="web"} 1.0"#,
            r#"workqueue_longest_running_processor_seconds{name="web"} 3.0"#,
            r#"workqueue_queue_duration_seconds_count{name="web"} 1"#,
            r#"controller_runtime_reconcile_total{controller="web",result="error"} 1"#,
            r#"controller_runtime_reconcile_errors_total{controller="web"} 1"#,
            r#"leader_election_master_status{name="lock"} 1.0"#,
            "# EOF",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
        }
        queue.done(&"a");
        drop(queue);
        assert!(!metrics.text().contains("workqueue_depth{"), "the queue is gone");
    }
}
