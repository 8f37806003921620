//! `/metrics`, under Kubernetes' names.

use crate::server::ApiServer;
use http::StatusCode;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use windlass_core::request::Verb;

/// What is counted.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<FxHashMap<Series, Count>>,
    /// Requests that are being answered.
    pub(crate) inflight: AtomicI64,
}

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Series {
    verb: &'static str,
    resource: String,
    code: u16,
}

#[derive(Clone, Copy, Default)]
struct Count {
    requests: u64,
    seconds: f64,
}

/// More series are not kept: custom resources come from users.
const SERIES: usize = 4096;

// === impl Metrics ===

impl Metrics {
    /// Notes an answer about a resource, if it is about one that is served.
    pub(crate) fn note(&self, verb: Verb, resource: &str, code: StatusCode, took: Duration) {
        let series =
            Series { verb: word(verb), resource: resource.to_owned(), code: code.as_u16() };
        let mut requests = self.requests.lock();
        if requests.len() >= SERIES && !requests.contains_key(&series) {
            return;
        }
        let count = requests.entry(series).or_default();
        count.requests += 1;
        count.seconds += took.as_secs_f64();
    }
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::List => "LIST",
        Verb::Watch => "WATCH",
        Verb::Create => "POST",
        Verb::Update => "PUT",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
        Verb::DeleteCollection => "DELETECOLLECTION",
        Verb::Impersonate | Verb::Other => "OTHER",
    }
}

/// The exposition format of Prometheus.
pub(super) fn text(server: &ApiServer) -> String {
    let metrics = &server.metrics;
    let mut series: Vec<_> =
        metrics.requests.lock().iter().map(|(series, count)| (series.clone(), *count)).collect();
    series.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut text = String::from(
        "# HELP apiserver_request_total Requests that were answered.\n\
         # TYPE apiserver_request_total counter\n",
    );
    for (Series { verb, resource, code }, count) in &series {
        let labels = format!("verb=\"{verb}\",resource={resource:?},code=\"{code}\"");
        // Writing to a string can't fail.
        _ = writeln!(text, "apiserver_request_total{{{labels}}} {}", count.requests);
    }
    text += "# HELP apiserver_request_duration_seconds Time until the answer began.\n\
             # TYPE apiserver_request_duration_seconds summary\n";
    for (Series { verb, resource, code }, count) in &series {
        let labels = format!("verb=\"{verb}\",resource={resource:?},code=\"{code}\"");
        let name = "apiserver_request_duration_seconds";
        _ = writeln!(text, "{name}_sum{{{labels}}} {}", count.seconds);
        _ = writeln!(text, "{name}_count{{{labels}}} {}", count.requests);
    }
    let inflight = metrics.inflight.load(Ordering::Relaxed);
    text += "# HELP apiserver_current_inflight_requests Requests that are being answered.\n\
             # TYPE apiserver_current_inflight_requests gauge\n";
    _ = writeln!(text, "apiserver_current_inflight_requests {inflight}");
    text
}
