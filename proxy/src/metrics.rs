//! The proxy's metrics, under kube-proxy's names.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// What the proxy counts. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) service_changes: Counter,
    pub(crate) endpoint_changes: Counter,
    pub(crate) failures: Counter,
    sync_duration: Histogram,
    full_duration: Histogram,
    partial_duration: Histogram,
    last_sync: Gauge<f64, std::sync::atomic::AtomicU64>,
    last_queued: Gauge<f64, std::sync::atomic::AtomicU64>,
}

/// Which work a sync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    Full,
    Partial,
}

// === impl Metrics ===

impl Metrics {
    /// Metrics that `registry` shows.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let histogram = || Histogram::new(exponential_buckets(0.000_1, 2.0, 18));
        let metrics = Self {
            service_changes: Counter::default(),
            endpoint_changes: Counter::default(),
            failures: Counter::default(),
            sync_duration: histogram(),
            full_duration: histogram(),
            partial_duration: histogram(),
            last_sync: Gauge::default(),
            last_queued: Gauge::default(),
        };
        metrics.register(registry.sub_registry_with_prefix("kubeproxy"));
        metrics
    }

    pub(crate) fn queued(&self, now: Timestamp) {
        self.last_queued.set(seconds(now));
    }

    pub(crate) fn synced(&self, sync: Sync, took: Duration, now: Timestamp) {
        self.sync_duration.observe(took.as_secs_f64());
        match sync {
            Sync::Full => self.full_duration.observe(took.as_secs_f64()),
            Sync::Partial => self.partial_duration.observe(took.as_secs_f64()),
        }
        self.last_sync.set(seconds(now));
    }

    fn register(&self, registry: &mut Registry) {
        let help = "Duration of a sync of rules, in seconds";
        registry.register("sync_proxy_rules_duration_seconds", help, self.sync_duration.clone());
        let help = "Duration of a full resync of rules, in seconds";
        registry.register(
            "sync_full_proxy_rules_duration_seconds",
            help,
            self.full_duration.clone(),
        );
        let help = "Duration of a sync of what changed, in seconds";
        registry.register(
            "sync_partial_proxy_rules_duration_seconds",
            help,
            self.partial_duration.clone(),
        );
        let help = "When rules were last synced successfully";
        registry.register("sync_proxy_rules_last_timestamp_seconds", help, self.last_sync.clone());
        let help = "When a sync of rules was last queued";
        registry.register(
            "sync_proxy_rules_last_queued_timestamp_seconds",
            help,
            self.last_queued.clone(),
        );
        registry.register(
            "sync_proxy_rules_service_changes",
            "Changes of Services",
            self.service_changes.clone(),
        );
        registry.register(
            "sync_proxy_rules_endpoint_changes",
            "Changes of endpoints",
            self.endpoint_changes.clone(),
        );
        registry.register(
            "sync_proxy_rules_nftables_sync_failures",
            "Syncs that failed",
            self.failures.clone(),
        );
    }
}

/// The registry's content as text.
pub(crate) fn text(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    encode(&mut text, registry)?;
    Ok(text)
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
