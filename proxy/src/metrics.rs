//! The proxy's metrics, under kube-proxy's names and with its labels.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family as Labelled;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::config::{Asking, WithoutLocal};
use crate::model::Family;

/// What the proxy counts. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    service_changes: Changes,
    endpoint_changes: Changes,
    failures: Labelled<OfFamily, Counter>,
    sync_duration: Histograms,
    full_duration: Histograms,
    partial_duration: Histograms,
    programming: Histograms,
    last_sync: Labelled<OfFamily, Seconds>,
    last_queued: Labelled<OfFamily, Seconds>,
    without_local: Labelled<OfPolicy, Gauge>,
    healthz: Labelled<OfCode, Counter>,
    livez: Labelled<OfCode, Counter>,
}

type OfFamily = [(&'static str, &'static str); 1];
type OfPolicy = [(&'static str, &'static str); 2];
type OfCode = [(&'static str, u16); 1];
type Histograms = Labelled<OfFamily, Histogram, fn() -> Histogram>;
type Seconds = Gauge<f64, std::sync::atomic::AtomicU64>;

/// Changes of one kind: all, and those that no sync has taken yet.
#[derive(Clone, Debug, Default)]
struct Changes {
    all: Counter,
    pending: Gauge,
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
        let syncs = || Histograms::new_with_constructor(sync_buckets);
        let metrics = Self {
            service_changes: Changes::default(),
            endpoint_changes: Changes::default(),
            failures: Labelled::default(),
            sync_duration: syncs(),
            full_duration: syncs(),
            partial_duration: syncs(),
            programming: Histograms::new_with_constructor(programming_buckets),
            last_sync: Labelled::default(),
            last_queued: Labelled::default(),
            without_local: Labelled::default(),
            healthz: Labelled::default(),
            livez: Labelled::default(),
        };
        metrics.register(registry.sub_registry_with_prefix("kubeproxy"));
        metrics
    }

    pub(crate) fn service_changed(&self) {
        self.service_changes.note();
    }

    pub(crate) fn endpoints_changed(&self) {
        self.endpoint_changes.note();
    }

    pub(crate) fn queued(&self, now: Timestamp) {
        each_family(|labels| _ = self.last_queued.get_or_create(labels).set(seconds(now)));
    }

    /// A sync takes all changes; so many ports lack an endpoint on this node then.
    pub(crate) fn taken(&self, without_local: &WithoutLocal) {
        self.service_changes.pending.set(0);
        self.endpoint_changes.pending.set(0);
        for family in [Family::V4, Family::V6] {
            for (asking, traffic_policy) in
                [(Asking::Internal, "internal"), (Asking::External, "external")]
            {
                let labels = [("ip_family", name(family)), ("traffic_policy", traffic_policy)];
                let count = without_local.get(family, asking);
                self.without_local.get_or_create(&labels).set(count);
            }
        }
    }

    pub(crate) fn synced(&self, sync: Sync, took: Duration, now: Timestamp) {
        let kind = match sync {
            Sync::Full => &self.full_duration,
            Sync::Partial => &self.partial_duration,
        };
        each_family(|labels| {
            self.sync_duration.get_or_create(labels).observe(took.as_secs_f64());
            kind.get_or_create(labels).observe(took.as_secs_f64());
            self.last_sync.get_or_create(labels).set(seconds(now));
        });
    }

    pub(crate) fn failed(&self) {
        each_family(|labels| _ = self.failures.get_or_create(labels).inc());
    }

    /// Endpoints that changed then have come to the rules.
    pub(crate) fn programmed(&self, family: Family, changed: Timestamp, now: Timestamp) {
        let took = now.duration_since(changed).as_secs_f64();
        self.programming.get_or_create(&labels(family)).observe(took.max(0.0));
    }

    pub(crate) fn answered_healthz(&self, status: StatusCode) {
        self.healthz.get_or_create(&[("code", status.as_u16())]).inc();
    }

    pub(crate) fn answered_livez(&self, status: StatusCode) {
        self.livez.get_or_create(&[("code", status.as_u16())]).inc();
    }

    fn register(&self, to: &mut Registry) {
        for (what, of, changes) in [
            ("service", "Services", &self.service_changes),
            ("endpoint", "endpoints", &self.endpoint_changes),
        ] {
            let name = format!("sync_proxy_rules_{what}_changes");
            to.register(&name, format!("Changes of {of}"), changes.all.clone());
            let help = format!("Changes of {of} that no sync has taken yet");
            to.register(format!("{name}_pending"), help, changes.pending.clone());
        }
        for (name, what, metric) in [
            ("sync_proxy_rules", "a sync of rules", &self.sync_duration),
            ("sync_full_proxy_rules", "a full resync", &self.full_duration),
            ("sync_partial_proxy_rules", "a sync of what changed", &self.partial_duration),
            ("network_programming", "endpoints' way from change to rules", &self.programming),
        ] {
            let help = format!("How long {what} took, in seconds");
            to.register(format!("{name}_duration_seconds"), help, metric.clone());
        }
        let help = "When rules were last synced successfully";
        to.register("sync_proxy_rules_last_timestamp_seconds", help, self.last_sync.clone());
        let help = "When a sync of rules was last queued";
        let name = "sync_proxy_rules_last_queued_timestamp_seconds";
        to.register(name, help, self.last_queued.clone());
        let name = "sync_proxy_rules_nftables_sync_failures";
        to.register(name, "Syncs that failed", self.failures.clone());
        let help = "Ports with a policy Local and endpoints, but none on this node";
        let name = "sync_proxy_rules_no_local_endpoints_total";
        to.register(name, help, self.without_local.clone());
        to.register("proxy_healthz", "Answers of /healthz, by status", self.healthz.clone());
        to.register("proxy_livez", "Answers of /livez, by status", self.livez.clone());
    }
}

// === impl Changes ===

impl Changes {
    fn note(&self) {
        self.all.inc();
        self.pending.inc();
    }
}

/// One sync programs both families.
fn each_family(note: impl Fn(&OfFamily)) {
    for family in [Family::V4, Family::V6] {
        note(&labels(family));
    }
}

fn labels(family: Family) -> OfFamily {
    [("ip_family", name(family))]
}

fn name(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

fn sync_buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 18))
}

/// As fine as kube-proxy's up to a minute, and below a quarter of a second, where this one mostly is.
fn programming_buckets() -> Histogram {
    let (below, to_minute) = ([0.01, 0.05, 0.1, 0.25, 0.5], (1..60).map(f64::from));
    let (to_two, to_five) = ((60..120).step_by(5), (120..=300).step_by(30));
    let above = to_two.chain(to_five).map(f64::from);
    Histogram::new(below.into_iter().chain(to_minute).chain(above))
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
