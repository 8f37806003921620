//! `/metrics/resource`: what the metrics API is made from, by the kubelet's names.

use super::{ContainerStats, PodStats, Stats, timestamp};
use crate::runtime::Usage;
use std::fmt::Write;
use std::time::SystemTime;

/// In Prometheus' text format; each value with the time it was read at.
pub(crate) fn resource_metrics(stats: &Stats) -> String {
    let mut text = Text(String::new());
    let node = || stats.node.iter().map(|usage| (String::new(), usage));
    let pods = || stats.pods.iter().map(|pod| (labels(pod, None), &pod.usage));
    let all = || stats.pods.iter().flat_map(|pod| pod.containers.iter().map(move |c| (pod, c)));
    let containers = || all().map(|(pod, c)| (labels(pod, Some(c)), &c.usage));
    text.cpu("node", node());
    text.memory("node", node());
    text.cpu("pod", pods());
    text.memory("pod", pods());
    text.cpu("container", containers());
    text.memory("container", containers());
    text.head("container_start_time_seconds", "When the container was started", "gauge");
    for (pod, container) in all() {
        let at = timestamp(container.started_at).as_millisecond();
        let value = format!("{}.{:03}", at / 1000, at % 1000);
        let labels = labels(pod, Some(container));
        text.row("container_start_time_seconds", &labels, &value, container.usage.at);
    }
    text.head("resource_scrape_error", "1 if something could not be read, 0 otherwise", "gauge");
    writeln!(text.0, "resource_scrape_error {}", u8::from(stats.node.is_none())).ok();
    text.0
}

struct Text(String);

// === impl Text ===

impl Text {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing to a String can't fail.
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
    }

    fn row(&mut self, name: &str, labels: &str, value: &str, at: SystemTime) {
        writeln!(self.0, "{name}{labels} {value} {}", timestamp(at).as_millisecond()).ok();
    }

    fn cpu<'a>(&mut self, of: &str, rows: impl Iterator<Item = (String, &'a Usage)>) {
        let name = format!("{of}_cpu_usage_seconds_total");
        self.head(&name, &format!("Time on processors of the {of}"), "counter");
        for (labels, usage) in rows {
            let value = format!("{}.{:09}", usage.cpu.as_secs(), usage.cpu.subsec_nanos());
            self.row(&name, &labels, &value, usage.at);
        }
    }

    fn memory<'a>(&mut self, of: &str, rows: impl Iterator<Item = (String, &'a Usage)>) {
        let name = format!("{of}_memory_working_set_bytes");
        self.head(&name, &format!("Working set of the {of}"), "gauge");
        for (labels, usage) in rows {
            self.row(&name, &labels, &usage.working_set.to_string(), usage.at);
        }
    }
}

/// Names are DNS names: nothing in them has to be escaped.
fn labels(pod: &PodStats, container: Option<&ContainerStats>) -> String {
    let (namespace, name) = (&pod.pod.namespace, &pod.pod.name);
    match container {
        Some(container) => {
            let container = &container.name;
            format!("{{container=\"{container}\",namespace=\"{namespace}\",pod=\"{name}\"}}")
        }
        None => format!("{{namespace=\"{namespace}\",pod=\"{name}\"}}"),
    }
}
