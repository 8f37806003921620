//! The page.

use super::Metrics;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

type Gauges = Family<Vec<(&'static str, String)>, Gauge<f64, AtomicU64>>;

/// What is shown of the queues of one name.
#[derive(Default)]
struct Shown {
    depth: f64,
    unfinished: f64,
    longest: f64,
}

impl Metrics {
    /// The media type of [`Metrics::text`].
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// All of them, in the text format of OpenMetrics.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a string does not fail");
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        let mut now = Registry::default();
        let queues = self.queues();
        let mut show = |name: &str, help: &str, value: fn(&Shown) -> f64| {
            gauges(&mut now, name, help, queues.iter().map(|(name, shown)| (*name, value(shown))));
        };
        show("workqueue_depth", "Keys that wait", |shown| shown.depth);
        let help = "Time that all keys being worked on have taken so far";
        show("workqueue_unfinished_work_seconds", help, |shown| shown.unfinished);
        let help = "Time that the longest of them has taken";
        show("workqueue_longest_running_processor_seconds", help, |shown| shown.longest);
        let leaders = self.0.leaders.lock();
        let leaders =
            leaders.iter().map(|(name, leads)| (name.as_str(), f64::from(u8::from(*leads))));
        gauges(&mut now, "leader_election_master_status", "Whether this process leads", leaders);
        encode_registry(text, &self.0.registry)?;
        encode_registry(text, &now)?;
        encode_eof(text)
    }

    fn queues(&self) -> BTreeMap<&'static str, Shown> {
        let mut all: BTreeMap<_, Shown> = BTreeMap::new();
        let queues = self.0.queues.lock().clone();
        for (name, queue) in queues {
            let Some(queue) = queue.upgrade() else { continue };
            let (depth, running) = queue.state();
            let longest = running.iter().max().map_or(0.0, Duration::as_secs_f64);
            let shown = all.entry(name).or_default();
            shown.depth += depth as f64;
            shown.unfinished += running.iter().sum::<Duration>().as_secs_f64();
            shown.longest = shown.longest.max(longest);
        }
        all
    }
}

fn gauges<'a>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    all: impl Iterator<Item = (&'a str, f64)>,
) {
    let family = Gauges::default();
    for (label, value) in all {
        family.get_or_create(&vec![("name", label.to_owned())]).set(value);
    }
    registry.register(name, help, family);
}
