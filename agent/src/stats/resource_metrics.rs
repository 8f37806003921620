//! `/metrics/resource`: what the metrics API is made from, by the kubelet's names.

use super::text::{Text, moment, seconds};
use super::{ContainerStats, PodStats, Stats};
use crate::runtime::Usage;
use std::fmt::Write;

/// In Prometheus' text format; each value with the time it was read at.
pub(crate) fn resource_metrics(stats: &Stats) -> String {
    let mut text = Text::default();
    let node = || stats.node.iter().map(|usage| (String::new(), usage));
    let pods = || stats.pods.iter().map(|pod| (labels(pod, None), &pod.usage));
    let all = || stats.pods.iter().flat_map(|pod| pod.containers.iter().map(move |c| (pod, c)));
    let containers = || all().map(|(pod, c)| (labels(pod, Some(c)), &c.usage));
    cpu(&mut text, "node", node());
    memory(&mut text, "node", node());
    cpu(&mut text, "pod", pods());
    memory(&mut text, "pod", pods());
    cpu(&mut text, "container", containers());
    memory(&mut text, "container", containers());
    text.head("container_start_time_seconds", "When the container was started", "gauge");
    for (pod, container) in all() {
        let value = moment(container.started_at);
        let labels = labels(pod, Some(container));
        text.row("container_start_time_seconds", &labels, &value, container.usage.at);
    }
    text.head("resource_scrape_error", "1 if something could not be read, 0 otherwise", "gauge");
    writeln!(text.0, "resource_scrape_error {}", u8::from(stats.node.is_none())).ok();
    text.0
}

fn cpu<'a>(text: &mut Text, of: &str, rows: impl Iterator<Item = (String, &'a Usage)>) {
    let name = format!("{of}_cpu_usage_seconds_total");
    text.head(&name, &format!("Time on processors of the {of}"), "counter");
    for (labels, usage) in rows {
        text.row(&name, &labels, &seconds(usage.cpu), usage.at);
    }
}

fn memory<'a>(text: &mut Text, of: &str, rows: impl Iterator<Item = (String, &'a Usage)>) {
    let name = format!("{of}_memory_working_set_bytes");
    text.head(&name, &format!("Working set of the {of}"), "gauge");
    for (labels, usage) in rows {
        text.row(&name, &labels, &usage.working_set.to_string(), usage.at);
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
