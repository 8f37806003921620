//! What is only looked at when somebody asks, and the text of all of it.

use super::{Metrics, process};
use crate::flowcontrol::{LevelStats, SchemaStats};
use crate::server::ApiServer;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use windlass_core::scheme::GroupResource;

type Labels = Vec<(&'static str, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;
type Counters = Family<Labels, Counter<f64, AtomicU64>>;

/// Metrics of this moment.
#[derive(Default)]
pub(super) struct Shown {
    registry: Registry,
}

/// Histograms that are kept where the times are taken.
#[derive(Debug)]
struct Times(Vec<(Labels, Histogram)>);

/// All metrics of a server.
///
/// # Errors
/// None: writing to a string does not fail, but the encoder's signature has one.
pub(crate) fn text(server: &ApiServer) -> Result<String, fmt::Error> {
    server.metrics.sweep(server.objects().resources());
    let mut shown = Shown::default();
    let Metrics { registry, reading, mutating, .. } = &*server.metrics;
    shown.gauges(
        "apiserver_current_inflight_requests",
        "Requests that are worked on",
        [("readOnly", reading), ("mutating", mutating)].map(|(kind, count)| {
            (vec![("request_kind", kind.to_owned())], count.load(Ordering::Relaxed) as f64)
        }),
    );
    flow(server, &mut shown);
    storage(server, &mut shown);
    if let Some(audit) = &server.audit {
        let (events, dropped) = (audit.events() as f64, audit.dropped() as f64);
        shown.counter("apiserver_audit_event", "Events that were recorded", events);
        let (name, rejected) = ("apiserver_audit_requests_rejected", audit.rejected() as f64);
        shown.counter(name, "Requests that were refused as they could not be recorded", rejected);
        let name = "apiserver_audit_error";
        shown.counters(
            name,
            "Events that were lost",
            [(vec![("plugin", "log".to_owned())], dropped)],
        );
    }
    process::show(&mut shown);
    let mut text = String::new();
    encode_registry(&mut text, registry)?;
    encode_registry(&mut text, &shown.registry)?;
    encode_eof(&mut text)?;
    Ok(text)
}

fn flow(server: &ApiServer, shown: &mut Shown) {
    let (levels, schemas) = (server.flow_control().levels(), server.flow_control().schemas());
    let level = |name: &str| vec![("priority_level", name.to_owned())];
    let name = |metric: &str| format!("apiserver_flowcontrol_{metric}");
    for (metric, help, value) in [
        (
            "nominal_limit_seats",
            "Seats of its own",
            (|l| l.bounds.nominal.into()) as fn(&LevelStats) -> f64,
        ),
        ("lower_limit_seats", "Seats that it keeps", |l| l.bounds.lower.into()),
        ("upper_limit_seats", "Seats that it may have", |l| l.bounds.upper.into()),
        ("current_limit_seats", "Seats that it has", |l| l.seats.into()),
        ("current_executing_seats", "Seats that are taken", |l| l.seats_in_use.into()),
        ("current_executing_requests", "Requests that are worked on", |l| l.executing.into()),
        ("current_inqueue_requests", "Requests that wait", |l| l.waiting as f64),
    ] {
        let values: Vec<_> = levels.iter().map(|l| (level(&l.name), value(l))).collect();
        shown.gauges(&name(metric), help, values);
    }
    let labels = |schema: &SchemaStats| {
        let mut labels = level(&schema.level);
        labels.push(("flow_schema", schema.name.clone()));
        labels
    };
    let dispatched = schemas.iter().map(|schema| (labels(schema), schema.dispatched as f64));
    shown.counters(&name("dispatched_requests"), "Requests that were let in", dispatched);
    let refused = schemas.iter().flat_map(|schema| {
        schema.refused.iter().map(move |(reason, count)| {
            let mut labels = labels(schema);
            labels.push(("reason", (*reason).to_owned()));
            (labels, *count as f64)
        })
    });
    shown.counters(&name("rejected_requests"), "Requests that were not let in", refused);
    let waited = schemas.iter().flat_map(|schema| {
        schema.waited.iter().map(move |(executed, seconds)| {
            let mut labels = labels(schema);
            labels.push(("execute", executed.to_string()));
            (labels, seconds.clone())
        })
    });
    let metric = name("request_wait_duration_seconds");
    shown.histograms(&metric, "Time that requests waited for their seats", waited);
    let held = schemas.iter().map(|schema| (labels(schema), schema.held.clone()));
    let metric = name("request_execution_seconds");
    shown.histograms(&metric, "Time that requests had their seats", held);
}

fn storage(server: &ApiServer, shown: &mut Shown) {
    let objects = server.objects();
    let counts = objects.resources().all().into_iter().filter_map(|entry| {
        let stats = objects.storage.stats(&entry.place)?;
        let GroupResource { group, resource } = entry.info.group_resource();
        let name = if group.is_empty() { resource.into() } else { format!("{resource}.{group}") };
        Some((vec![("resource", name)], stats.objects as f64))
    });
    shown.gauges("apiserver_storage_objects", "Objects that are cached", counts);
}

// === impl Times ===

impl EncodeMetric for Times {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        self.0.iter().try_for_each(|(labels, times)| times.encode(encoder.encode_family(labels)?))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

// === impl Shown ===

impl Shown {
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.registry.register(name, help, gauge);
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: f64) {
        let counter = Counter::<f64, AtomicU64>::default();
        counter.inc_by(value);
        self.registry.register(name, help, counter);
    }

    fn gauges(&mut self, name: &str, help: &str, all: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Gauges::default();
        for (labels, value) in all {
            family.get_or_create(&labels).set(value);
        }
        self.registry.register(name, help, family);
    }

    fn histograms(
        &mut self,
        name: &str,
        help: &str,
        all: impl IntoIterator<Item = (Labels, Histogram)>,
    ) {
        self.registry.register(name, help, Times(all.into_iter().collect()));
    }

    fn counters(&mut self, name: &str, help: &str, all: impl IntoIterator<Item = (Labels, f64)>) {
        let family = Counters::default();
        for (labels, value) in all {
            family.get_or_create(&labels).inc_by(value);
        }
        self.registry.register(name, help, family);
    }
}
