//! `/metrics/cadvisor`: the names that dashboards ask for, as far as this agent knows what they stand for.

use super::network::{Interface, Traffic};
use super::text::{Text, moment, seconds};
use super::{ContainerStats, PodStats, Stats};
use crate::config::Machine;
use crate::runtime::Usage;
use std::time::SystemTime;

type Value<T> = fn(&T) -> String;

/// What is known of each control group.
const GROUPS: [(&str, &str, &str, Value<Usage>); 14] = [
    ("container_cpu_usage_seconds_total", "Time on processors", "counter", |u| seconds(u.cpu)),
    ("container_cpu_cfs_periods_total", "Periods of its quota", "counter", |u| {
        u.details.periods.to_string()
    }),
    ("container_cpu_cfs_throttled_periods_total", "Periods it was held back in", "counter", |u| {
        u.details.throttled_periods.to_string()
    }),
    ("container_cpu_cfs_throttled_seconds_total", "Time it was held back", "counter", |u| {
        seconds(u.details.throttled)
    }),
    ("container_memory_usage_bytes", "Memory, caches included", "gauge", |u| u.memory.to_string()),
    ("container_memory_working_set_bytes", "Memory but idle files", "gauge", |u| {
        u.working_set.to_string()
    }),
    ("container_memory_rss", "Memory of no file", "gauge", |u| u.details.rss.to_string()),
    ("container_memory_cache", "Memory of files", "gauge", |u| u.details.cache.to_string()),
    ("container_memory_swap", "Swap space", "gauge", |u| u.details.swap.to_string()),
    ("container_fs_reads_total", "Reads from disks", "counter", |u| u.details.reads.to_string()),
    ("container_fs_writes_total", "Writes to disks", "counter", |u| u.details.writes.to_string()),
    ("container_fs_reads_bytes_total", "Bytes read from disks", "counter", |u| {
        u.details.read_bytes.to_string()
    }),
    ("container_fs_writes_bytes_total", "Bytes written to disks", "counter", |u| {
        u.details.written_bytes.to_string()
    }),
    ("container_last_seen", "When it was looked at", "gauge", |u| moment(u.at)),
];

/// What is known of each interface of a pod, received and sent.
const INTERFACES: [(&str, &str, Value<Traffic>); 4] = [
    ("bytes", "Bytes", |t| t.bytes.to_string()),
    ("packets", "Packets", |t| t.packets.to_string()),
    ("packets_dropped", "Packets dropped", |t| t.dropped.to_string()),
    ("errors", "Errors", |t| t.errors.to_string()),
];

/// What a container was given; a limit that it does not have is 0, and a quota left out.
const LIMITS: [(&str, &str, Value<ContainerStats>); 5] = [
    ("container_spec_memory_limit_bytes", "Limit of memory", |c| {
        c.resources.memory_limit.unwrap_or(0).to_string()
    }),
    ("container_spec_cpu_shares", "Weight on processors", |c| {
        c.resources.cpu_shares.unwrap_or(0).to_string()
    }),
    ("container_spec_cpu_period", "Period of the quota in microseconds", |c| {
        c.resources.cpu_period.unwrap_or(100_000).to_string()
    }),
    ("container_spec_cpu_quota", "Microseconds on processors in each period", |c| {
        c.resources.cpu_quota.map_or_else(String::new, |quota| quota.to_string())
    }),
    ("container_start_time_seconds", "When it was started", |c| moment(c.started_at)),
];

/// In Prometheus' text format.
pub(crate) fn cadvisor(stats: &Stats, machine: &Machine) -> String {
    let mut text = Text::default();
    groups(&mut text, stats);
    processes(&mut text, stats);
    limits(&mut text, stats);
    for (direction, of) in
        [("receive", (|i| &i.received) as fn(&Interface) -> &Traffic), ("transmit", |i| &i.sent)]
    {
        network(&mut text, stats, direction, of);
    }
    let cores = machine.milli_cpu / 1000;
    let whole = stats.node.as_ref().map_or(SystemTime::UNIX_EPOCH, |usage| usage.at);
    for (name, help, value) in [
        ("machine_cpu_cores", "Processors", cores),
        ("machine_memory_bytes", "Bytes of memory", machine.memory),
    ] {
        text.head(name, help, "gauge");
        text.row(name, "", &value.to_string(), whole);
    }
    text.0
}

fn groups(text: &mut Text, stats: &Stats) {
    let mut all: Vec<(Labels, &Usage)> = Vec::new();
    all.extend(stats.node.iter().map(|usage| (Labels::node(), usage)));
    for pod in &stats.pods {
        all.push((Labels::of(pod, None), &pod.usage));
        all.extend(pod.containers.iter().map(|c| (Labels::of(pod, Some(c)), &c.usage)));
    }
    for (name, help, kind, value) in GROUPS {
        text.head(name, help, kind);
        // Processors are not told apart.
        let more = if name == "container_cpu_usage_seconds_total" { "cpu=\"total\"" } else { "" };
        for (labels, usage) in &all {
            text.row(name, &labels.with(more), &value(usage), usage.at);
        }
    }
}

fn processes(text: &mut Text, stats: &Stats) {
    text.head("container_threads", "Threads", "gauge");
    for pod in &stats.pods {
        let labels = Labels::of(pod, None).with("");
        text.row("container_threads", &labels, &pod.processes.to_string(), pod.usage.at);
    }
}

fn limits(text: &mut Text, stats: &Stats) {
    for (name, help, value) in LIMITS {
        text.head(name, help, "gauge");
        for (pod, container) in
            stats.pods.iter().flat_map(|p| p.containers.iter().map(move |c| (p, c)))
        {
            let value = value(container);
            if !value.is_empty() {
                let labels = Labels::of(pod, Some(container)).with("");
                text.row(name, &labels, &value, container.usage.at);
            }
        }
    }
}

fn network(text: &mut Text, stats: &Stats, direction: &str, of: fn(&Interface) -> &Traffic) {
    for (what, help, value) in INTERFACES {
        let name = format!("container_network_{direction}_{what}_total");
        text.head(&name, &format!("{help} ({direction})"), "counter");
        for pod in &stats.pods {
            for interface in &pod.interfaces {
                let labels = format!("interface=\"{}\"", interface.name);
                let labels = Labels::of(pod, None).with(&labels);
                text.row(&name, &labels, &value(of(interface)), pod.usage.at);
            }
        }
    }
}

/// What a value is of.
struct Labels(String);

impl Labels {
    fn node() -> Self {
        Self("container=\"\",id=\"/\",image=\"\",name=\"\",namespace=\"\",pod=\"\"".into())
    }

    /// Of a container, or of a pod as a whole. Names and ids need no escapes; names of images come from users.
    fn of(pod: &PodStats, container: Option<&ContainerStats>) -> Self {
        let (namespace, name, group) = (&pod.pod.namespace, &pod.pod.name, &pod.pod.cgroup_parent);
        let (own, id, image) = container.map_or(("", "", ""), |c| (&c.name, &c.id.0, &c.image));
        let group = if id.is_empty() { format!("/{group}") } else { format!("/{group}/{id}") };
        let image = image.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        Self(format!(
            "container=\"{own}\",id=\"{group}\",image=\"{image}\",name=\"{id}\",namespace=\"{namespace}\",pod=\"{name}\""
        ))
    }

    fn with(&self, more: &str) -> String {
        let comma = if more.is_empty() { "" } else { "," };
        format!("{{{}{comma}{more}}}", self.0)
    }
}
