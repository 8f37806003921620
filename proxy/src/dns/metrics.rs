//! What the DNS server counts, under CoreDNS' names.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Cheap to clone; clones count together.
#[derive(Clone)]
pub(super) struct Metrics {
    requests: Family<Transport, Counter>,
    responses: Family<Code, Counter>,
    duration: Histogram,
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) forwards: Counter,
    pub(super) forward_failures: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Transport {
    proto: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Code {
    rcode: String,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            responses: Family::default(),
            duration: Histogram::new(exponential_buckets(0.000_01, 2.0, 20)),
            hits: Counter::default(),
            misses: Counter::default(),
            forwards: Counter::default(),
            forward_failures: Counter::default(),
        };
        metrics.register(registry.sub_registry_with_prefix("coredns"));
        metrics
    }

    pub(super) fn asked(&self, proto: &'static str) {
        self.requests.get_or_create(&Transport { proto }).inc();
    }

    pub(super) fn answered(&self, rcode: &str, took: Duration) {
        self.responses.get_or_create(&Code { rcode: rcode.to_owned() }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    fn register(&self, to: &mut Registry) {
        to.register("dns_requests", "Questions, by transport", self.requests.clone());
        to.register("dns_responses", "Answers, by response code", self.responses.clone());
        let help = "From question to answer, in seconds";
        to.register("dns_request_duration_seconds", help, self.duration.clone());
        to.register(
            "cache_hits",
            "Answers of other servers that were remembered",
            self.hits.clone(),
        );
        to.register("cache_misses", "Answers that were not", self.misses.clone());
        to.register("forward_requests", "Questions to other servers", self.forwards.clone());
        let help = "Questions that no other server answered";
        to.register("forward_failures", help, self.forward_failures.clone());
    }
}
