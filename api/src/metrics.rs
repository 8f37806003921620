//! What is counted, under Kubernetes' names, in the text format of OpenMetrics.
//!
//! Labels are names that the server serves, never a client's own text: their number is bounded by the kinds there are.

pub(crate) mod admission;
mod labels;
mod process;
mod scrape;

pub(crate) use labels::Asked;
pub(crate) use scrape::text;

use crate::registry::Resources;
use admission::AdmissionMetrics;
use labels::{Answered, Kind};
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use windlass_core::scheme::{GroupVersionKind, GroupVersionResource};

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The media type of what [`text`] writes.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds, as Kubernetes has them.
const REQUEST: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];
const STORE: [f64; 15] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];

/// What is counted. The series are made when they are first needed.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Histograms<Asked>,
    long: Family<Asked, Gauge>,
    watch_events: Family<Kind, Counter>,
    pub(crate) store: StoreTimes,
    pub(crate) admission: AdmissionMetrics,
    reading: AtomicI64,
    mutating: AtomicI64,
    /// The series of resources that users defined.
    defined: Mutex<FxHashMap<GroupVersionResource, FxHashSet<Answered>>>,
}

/// How long the store takes. Clones are the same.
#[derive(Clone)]
pub(crate) struct StoreTimes(Histograms<[(&'static str, &'static str); 1]>);

/// A request that is worked on, until this is dropped.
pub(crate) struct Inflight<'a>(&'a AtomicI64);

/// A request that takes long by nature, until this is dropped.
pub(crate) struct Long(Gauge);

// === impl Metrics ===

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(REQUEST)),
            long: Family::default(),
            watch_events: Family::default(),
            store: StoreTimes::default(),
            admission: AdmissionMetrics::default(),
            reading: AtomicI64::new(0),
            mutating: AtomicI64::new(0),
            defined: Mutex::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let Self { registry, requests, durations, long, watch_events, store, admission, .. } = self;
        admission.register(registry);
        let name = "apiserver_request";
        registry.register(name, "Requests that were answered", requests.clone());
        let name = "apiserver_request_duration_seconds";
        registry.register(name, "Time until the answer began", durations.clone());
        let name = "apiserver_longrunning_requests";
        registry.register(name, "Watches that go on", long.clone());
        let name = "apiserver_watch_events";
        registry.register(name, "Events that were sent to watchers", watch_events.clone());
        let name = "etcd_request_duration_seconds";
        registry.register(name, "Time that the store took", store.0.clone());
    }

    /// Notes an answer.
    pub(crate) fn note(&self, asked: Asked, code: u16, took: Duration) {
        self.durations.get_or_create(&asked).observe(took.as_secs_f64());
        let answered = Answered { asked, code };
        self.requests.get_or_create(&answered).inc();
        if let Some(info) = answered.asked.defined() {
            self.defined.lock().entry(info.gvr.clone()).or_default().insert(answered);
        }
    }

    /// Forgets the series of defined resources that are served no longer, each time the resources change.
    pub(crate) async fn tidy(self: Arc<Self>, resources: Arc<Resources>) {
        let mut generations = resources.generations();
        while generations.changed().await.is_ok() {
            self.sweep(&resources);
        }
    }

    fn sweep(&self, resources: &Resources) {
        self.defined.lock().retain(|gvr, series| {
            let served = resources.get(gvr).is_some();
            if !served {
                series.iter().for_each(|one| self.forget(one));
            }
            served
        });
    }

    fn forget(&self, answered: &Answered) {
        let asked = &answered.asked;
        self.requests.remove(answered);
        self.durations.remove(asked);
        self.long.remove(asked);
        if let Some(info) = asked.defined() {
            self.watch_events.remove(&Kind(info.gvk()));
        }
    }

    /// Counts a request that is worked on.
    pub(crate) fn inflight(&self, mutating: bool) -> Inflight<'_> {
        let count = if mutating { &self.mutating } else { &self.reading };
        count.fetch_add(1, Ordering::Relaxed);
        Inflight(count)
    }

    /// Counts a request that takes long by nature.
    pub(crate) fn long(&self, asked: &Asked) -> Long {
        let gauge = self.long.get_or_create_owned(asked);
        gauge.inc();
        Long(gauge)
    }

    /// Where the events are counted that watchers of a kind are sent.
    pub(crate) fn watch_events(&self, kind: &GroupVersionKind) -> Counter {
        self.watch_events.get_or_create_owned(&Kind(kind.clone()))
    }
}

impl Drop for Inflight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Long {
    fn drop(&mut self) {
        self.0.dec();
    }
}

// === impl StoreTimes ===

impl Default for StoreTimes {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(STORE)))
    }
}

impl StoreTimes {
    /// Notes how long an operation took.
    pub(crate) fn note(&self, operation: &'static str, took: Duration) {
        self.0.get_or_create(&[("operation", operation)]).observe(took.as_secs_f64());
    }
}
